package seal

import (
	"errors"
	"testing"
	"time"

	"postern/store"
)

// TestRingRetire: I3. A key that no item names is destroyed after its hour, in memory and on the disk.
func TestRingRetire(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	r := testRing(t, dir, c)
	gone := wrap(t, r)
	goneText := queueLines().secret(r.keys[0].key)
	c.add(time.Hour)
	waits := wrap(t, r)
	c.add(time.Hour)
	now := wrap(t, r)
	if err := r.Retire([]store.KeyID{waits.id}); err != nil {
		t.Fatal(err)
	}
	again := testRing(t, dir, c)
	for _, ring := range []*Ring{r, again} {
		if err := gone.check(ring); !errors.Is(err, ErrQueueKeyGone) {
			t.Errorf("the retired key: %v", err)
		}
		if err := errors.Join(waits.check(ring), now.check(ring)); err != nil {
			t.Error(err)
		}
	}
	if folderHolds(t, dir, goneText) {
		t.Error("the retired key is on the disk")
	}
	noLeftovers(t, dir)
}

func TestRingRetireEmptiesAnIdleRing(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	r := testRing(t, dir, c)
	last := wrap(t, r)
	c.add(time.Hour)
	if err := r.Retire(nil); err != nil {
		t.Fatal(err)
	}
	if err := last.check(testRing(t, dir, c)); !errors.Is(err, ErrQueueKeyGone) {
		t.Errorf("the newest key of an hour long gone: %v", err)
	}
	if err := wrap(t, r).check(testRing(t, dir, c)); err != nil {
		t.Errorf("the ring goes on: %v", err)
	}
}

func TestRingRetireKeepsTheHoursKey(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := testRing(t, t.TempDir(), c)
	w := wrap(t, r)
	c.add(20 * time.Minute)
	if err := errors.Join(r.Retire(nil), w.check(r)); err != nil {
		t.Error(err)
	}
}

// TestRingRetireWaitsForTransactions: an item sealed in the last minute of an hour is put in the next hour.
func TestRingRetireWaitsForTransactions(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.add(29 * time.Minute)
	r := testRing(t, t.TempDir(), c)
	w := wrap(t, r)
	c.add(2 * time.Minute)
	if err := errors.Join(r.Retire(nil), w.check(r)); err != nil {
		t.Errorf("two minutes later: %v", err)
	}
	c.add(ringGrace)
	if err := r.Retire(nil); err != nil {
		t.Fatal(err)
	}
	if err := w.check(r); !errors.Is(err, ErrQueueKeyGone) {
		t.Errorf("after the grace: %v", err)
	}
}

// TestRingKilled ends the ring's work after every step of three hours of it. Whatever key was handed out before opens
// afterwards, nothing is left beside the ring, and what was to be destroyed can be.
func TestRingKilled(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		dir, c := t.TempDir(), newClock()
		r, err := openRing(dir, c.now, killAfter(n))
		if err != nil {
			t.Fatal(err)
		}
		run := ringRun{ring: r, clock: c}
		err = run.hours()
		again := testRing(t, dir, c)
		for i, w := range run.needed {
			if err := w.check(again); err != nil {
				t.Errorf("killed after %d: item %d: %v", n, i, err)
			}
		}
		noLeftovers(t, dir)
		c.add(2 * time.Hour)
		if err := again.Retire(run.live()); err != nil {
			t.Fatalf("killed after %d: retire: %v", n, err)
		}
		for _, w := range run.needed {
			if err := w.check(again); err != nil {
				t.Errorf("killed after %d: after retire: %v", n, err)
			}
		}
		for _, text := range run.dead {
			if folderHolds(t, dir, text) {
				t.Errorf("killed after %d: a destroyed key is in the folder", n)
			}
		}
		if err == nil {
			if n < 25 {
				t.Fatalf("three hours took only %d steps", n)
			}
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
	}
}

type ringRun struct {
	ring   *Ring
	clock  *clock
	needed []wrapped
	dead   []string
}

func (x *ringRun) live() (ids []store.KeyID) {
	for _, w := range x.needed {
		ids = append(ids, w.id)
	}
	return ids
}

// hours seals in three hours; the first hour's item leaves the queue, the others wait.
func (x *ringRun) hours() error {
	seal := func() (wrapped, error) {
		w := wrapped{key: testRcpt(1), fk: FileKey(random(16))}
		var err error
		w.id, w.wrap, err = x.ring.Wrap(w.key, w.fk)
		return w, err
	}
	if _, err := seal(); err != nil {
		return err
	}
	x.dead = append(x.dead, queueLines().secret(x.ring.keys[0].key))
	for range 2 {
		x.clock.add(time.Hour)
		w, err := seal()
		if err != nil {
			return err
		}
		x.needed = append(x.needed, w)
		if err := x.ring.Retire(x.live()); err != nil {
			return err
		}
	}
	return nil
}

// TestRingFailureLeavesItUsable: a full disk for one call is not the end.
func TestRingFailureLeavesItUsable(t *testing.T) {
	t.Parallel()
	for n := range 10 {
		dir, c := t.TempDir(), newClock()
		r := testRing(t, dir, c)
		a := wrap(t, r)
		c.add(time.Hour)
		r.disk = killAfter(n)
		_, _, err := r.Wrap(a.key, a.fk)
		r.disk = disk{}
		b := wrap(t, r)
		if err := errors.Join(a.check(r), b.check(r), a.check(testRing(t, dir, c)), b.check(testRing(t, dir, c))); err != nil {
			t.Errorf("failed after %d: %v", n, err)
		}
		if err == nil {
			return
		}
	}
}
