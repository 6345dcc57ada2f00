package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"postern/store"
	"postern/store/blob"
)

// The test binary runs itself as the process that crashes or meets a bad disk. Its part is named by the environment.
const (
	envPart = "POSTERN_BOLT_PART"
	envDir  = "POSTERN_BOLT_DIR"
	envSeed = "POSTERN_BOLT_SEED"
)

// child plays a part and reports whether this process has one.
func child() bool {
	part, dir := os.Getenv(envPart), os.Getenv(envDir)
	var err error
	switch part {
	case "":
		return false
	case "load":
		err = load(dir)
	case "rows":
		err = rows(dir)
	case "fill":
		err = fillDisk(dir)
	}
	if err != nil {
		fmt.Printf("failed: %v\n", err)
		os.Exit(1)
	}
	return true
}

// part is a command that plays a part of child, behind other programs if there are any.
func part(t *testing.T, name, dir string, wrap ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := append(wrap, self)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), envPart+"="+name, envDir+"="+dir)
	cmd.Stderr = t.Output()
	return cmd
}

func reopen(dir string) (*Store, error) {
	return Open(Config{Dir: dir, Blobs: blob.In(filepath.Join(dir, "blobs"))})
}

// load accepts and delivers messages for ever from several goroutines and says what is durable: "+ ID" for an accepted
// message, "- ID" for a delivered one.
func load(dir string) error {
	seed, err := strconv.ParseUint(os.Getenv(envSeed), 10, 64)
	if err != nil {
		return err
	}
	s, err := reopen(dir)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			for {
				if err := errors.Join(acceptOne(s, r), deliverSome(s, store.Owner{byte(w + 1)}, r.IntN(4))); err != nil {
					fmt.Printf("failed: %v\n", err)
					os.Exit(1)
				}
			}
		})
	}
	wg.Wait()
	return nil
}

func acceptOne(s *Store, r *rand.Rand) error {
	m, rcpt := sample(int(time.Since(testTime).Milliseconds()))
	body := make([]byte, r.IntN(20_000))
	if err := s.Update(context.Background(), func(tx store.Tx) error { return accept(tx, m, rcpt, body) }); err != nil {
		return err
	}
	_, err := fmt.Println("+ " + m.ID.String())
	return err
}

func deliverSome(s *Store, owner store.Owner, n int) error {
	var items []store.QueueItem
	err := s.Update(context.Background(), func(tx store.Tx) (err error) {
		items, err = tx.Queue().Claim(store.Claim{Domain: "example.net", Owner: owner, Now: time.Now(), Lease: time.Hour, Max: n})
		return err
	})
	for _, i := range items {
		err = errors.Join(err, s.Update(context.Background(), func(tx store.Tx) error { return deliver(tx, i) }))
		if err == nil {
			_, err = fmt.Println("- " + i.Key.Message.String())
		}
	}
	return err
}

func deliver(tx store.Tx, i store.QueueItem) error {
	r, err := tx.Messages().Recipient(i.Key)
	if err != nil {
		return err
	}
	r.State = store.StateDelivered
	return errors.Join(tx.Queue().Finish(i.Key, i.Owner), tx.Messages().Set(r), tx.Bodies().Unref(i.Key.Message))
}

// rows writes one row after the other to a store that exists already and says how each commit ended and whether the
// row can be read: "N ok true", "N full false".
func rows(dir string) error {
	s, err := reopen(dir)
	if err != nil {
		return err
	}
	for n := range 12 {
		key := fmt.Sprintf("row/%d", n)
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Settings().Set(key, make([]byte, 3000)) })
		fmt.Printf("%d %s %t\n", n, outcomeOf(err), visible(s, key))
	}
	fmt.Printf("check %s\n", outcomeOf(s.Check(context.Background())))
	return s.Close()
}

func visible(s *Store, key string) bool {
	return s.View(context.Background(), func(tx store.Tx) error {
		_, err := tx.Settings().Get(key)
		return err
	}) == nil
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, store.ErrUncertain):
		return "uncertain"
	case errors.Is(err, store.ErrFull):
		return "full"
	}
	return "error"
}

// fillDisk fills the disk under dir with rows, frees room, and writes again.
func fillDisk(dir string) error {
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		return err
	}
	s, err := reopen(dir)
	if err != nil {
		return err
	}
	write := func(n int) error {
		return s.Update(context.Background(), func(tx store.Tx) error {
			return tx.Settings().Set(fmt.Sprintf("row/%06d", n), make([]byte, 9000))
		})
	}
	n := 0
	for ; err == nil; n++ {
		err = write(n)
	}
	n-- // the one that failed
	if !errors.Is(err, store.ErrFull) {
		return fmt.Errorf("row %d on a full disk: %w", n, err)
	}
	if err := blobOn(s); !errors.Is(err, store.ErrFull) {
		return fmt.Errorf("blob on a full disk: %w", err)
	}
	if err := intact(s, n); err != nil {
		return err
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := errors.Join(s.Check(context.Background()), write(n), blobOn(s), intact(s, n+1), s.Close()); err != nil {
		return fmt.Errorf("after room returned: %w", err)
	}
	if s, err = reopen(dir); err != nil {
		return err
	}
	if err := errors.Join(intact(s, n+1), s.Close()); err != nil {
		return err
	}
	fmt.Printf("%d rows\n", n)
	return nil
}

// blobOn writes a blob of 128 KiB.
func blobOn(s *Store) error {
	w, err := s.Blobs().Create(context.Background())
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(make([]byte, 128<<10)); err != nil {
		return err
	}
	_, err = w.Commit()
	return err
}

// intact checks that exactly the first n rows are there.
func intact(s *Store, n int) error {
	return s.View(context.Background(), func(tx store.Tx) error {
		names, err := tx.Settings().Names("row/")
		if err != nil || len(names) != n {
			return fmt.Errorf("%d rows of %d, %w", len(names), n, err)
		}
		for _, name := range names {
			if v, err := tx.Settings().Get(name); err != nil || len(v) != 9000 {
				return fmt.Errorf("%s has %d octets, %w", name, len(v), err)
			}
		}
		return nil
	})
}
