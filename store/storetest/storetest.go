// Package storetest is the one conformance suite of storage engines.
//
// Flow: an engine's test calls Run with a function that opens an empty store. Each case gets a store of its own, drives
// it through the interfaces of package store alone, and closes it. What an engine must keep beyond that (crashes,
// failing disks, its own layout) is tested beside the engine.
//
// Duty: two engines that pass behave alike for everybody above them: errors, order and paging of lists, versions,
// leases, what counts as live, times in whole milliseconds, copies instead of aliases.
package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"postern/store"
)

// Run drives every case against stores that open makes: empty, and closed by the case.
func Run(t *testing.T, open func(t testing.TB) store.Store) {
	for _, group := range [][]testCase{
		messageCases(), listCases(), bodyCases(), accountCases(), peopleCases(), groupCases(), administratorCases(), sessionCases(), tokenCases(), queueCases(),
		claimCases(), recordCases(), commitCases(), blobCases(),
	} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s := open(t)
				defer closeStore(t, s)
				c.run(&bench{T: t, Store: s})
			})
		}
	}
}

// testCase is one subtest.
type testCase struct {
	name string
	run  func(*bench)
}

// bench is a test with its store.
type bench struct {
	*testing.T
	store.Store
}

func closeStore(t *testing.T, s store.Store) {
	if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
		t.Errorf("close: %v", err)
	}
}

func (b *bench) ctx() context.Context { return b.Context() }

// update runs f in a transaction that must be committed.
func (b *bench) update(f func(tx store.Tx) error) {
	b.Helper()
	if err := b.Update(b.ctx(), f); err != nil {
		b.Fatalf("update: %v", err)
	}
}

// fails runs f in a transaction that must answer an error, and checks that it is want; nil: any.
func (b *bench) fails(want error, f func(tx store.Tx) error) {
	b.Helper()
	err := b.Update(b.ctx(), f)
	if err == nil || want != nil && !errors.Is(err, want) {
		b.Fatalf("update answered %v, want %v", err, want)
	}
}

func (b *bench) view(f func(tx store.Tx) error) {
	b.Helper()
	if err := b.View(b.ctx(), f); err != nil {
		b.Fatalf("view: %v", err)
	}
}

// read answers what a role answers in a View.
func read[T any](b *bench, f func(tx store.Tx) (T, error)) (out T) {
	b.Helper()
	b.view(func(tx store.Tx) (err error) {
		out, err = f(tx)
		return err
	})
	return out
}

// missing checks that a role answers an error in a View.
func missing[T any](b *bench, want error, f func(tx store.Tx) (T, error)) {
	b.Helper()
	err := b.View(b.ctx(), func(tx store.Tx) error {
		_, err := f(tx)
		return err
	})
	if !errors.Is(err, want) {
		b.Fatalf("answer %v, want %v", err, want)
	}
}

func same[T any](b *bench, what string, got, want T) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// walk reads a whole list in pages of n and checks that no page is longer.
func walk[T any](b *bench, n int, f func(tx store.Tx, c store.Cursor, n int) ([]T, store.Cursor, error)) (all []T) {
	b.Helper()
	var c store.Cursor
	for range 10_000 {
		var rows []T
		b.view(func(tx store.Tx) (err error) {
			rows, c, err = f(tx, c, n)
			return err
		})
		if len(rows) > n {
			b.Fatalf("page of %d rows, asked for %d", len(rows), n)
		}
		if all = append(all, rows...); c == "" {
			return all
		}
	}
	b.Fatal("list does not end")
	return nil
}

// start is the time of day of all cases, with what no record keeps: a zone and microseconds.
var start = time.Date(2021, 3, 1, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))

// at is n minutes after start, as records keep it.
func at(n int) time.Time { return kept(start.Add(time.Duration(n) * time.Minute)) }

// kept is a time as a record keeps it.
func kept(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// id is a readable id.
func id[T ~[16]byte](n byte) (out T) {
	out[0], out[15] = n, n
	return out
}

func address(s string) store.Address {
	a, err := store.ParseAddress(s)
	if err != nil {
		panic("storetest: " + s + " is no address")
	}
	return a
}
