package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"postern/cmd/testneed"
	"postern/store"
)

// acked is what a loaded process said to be durable.
type acked struct{ accepted, delivered map[store.MessageID]bool }

func (a acked) read(t *testing.T, out io.Reader) (lines int) {
	t.Helper()
	for sc := bufio.NewScanner(out); sc.Scan(); lines++ {
		sign, text, _ := strings.Cut(sc.Text(), " ")
		id, err := store.ParseMessageID(text)
		switch {
		case err != nil && len(text) == 26 || sign == "failed:":
			t.Errorf("loaded process: %s", sc.Text())
		case err != nil: // the last line may be cut off
		case sign == "+":
			a.accepted[id] = true
		case sign == "-":
			a.delivered[id] = true
		}
	}
	return lines
}

// check looks for all of it in a store.
func (a acked) check(t *testing.T, s *Store) {
	t.Helper()
	err := s.View(context.Background(), func(tx store.Tx) error {
		for id := range a.accepted {
			if _, err := tx.Messages().Get(id); err != nil {
				t.Errorf("accepted message lost: %v", err)
			}
			r, err := tx.Messages().Recipient(store.RcptKey{Message: id, N: 1})
			if err != nil {
				t.Errorf("accepted recipient lost: %v", err)
			}
			_, bodyErr := tx.Bodies().Get(id)
			_, itemErr := tx.Queue().Get(r.Key)
			done := r.State == store.StateDelivered
			if a.delivered[id] && !done {
				t.Errorf("message %s was delivered and is %s", id, r.State)
			}
			if errors.Is(bodyErr, store.ErrNotFound) != done || errors.Is(itemErr, store.ErrNotFound) != done {
				t.Errorf("message %s is %s; body: %v; queue: %v", id, r.State, bodyErr, itemErr)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestI2KillLosesNothing kills a loaded process at random moments: by time, and inside the system calls of a commit.
func TestI2KillLosesNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	all := acked{make(map[store.MessageID]bool), make(map[store.MessageID]bool)}
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		if round%2 == 1 {
			call := []string{"pwrite64", "fdatasync"}[random.IntN(2)]
			inject := fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, 1+random.IntN(300))
			killInside(t, all, loaded(t, dir, seed+uint64(round), testneed.Program(t, "strace"), "-f", "-qqq", "-o", os.DevNull, "-e", "trace="+call, "-e", inject))
		} else {
			killAfter(t, all, loaded(t, dir, seed+uint64(round)), time.Duration(random.IntN(400))*time.Millisecond)
		}
		s := openIn(t, dir)
		all.check(t, s)
		verify(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all.accepted) == 0 || len(all.delivered) == 0 {
		t.Fatalf("accepted %d, delivered %d: the load did nothing", len(all.accepted), len(all.delivered))
	}
	t.Logf("accepted %d, delivered %d", len(all.accepted), len(all.delivered))
}

func loaded(t *testing.T, dir string, seed uint64, wrap ...string) *exec.Cmd {
	cmd := part(t, "load", dir, wrap...)
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", envSeed, seed))
	return cmd
}

// killAfter lets a process work for a while behind its first answer.
func killAfter(t *testing.T, all acked, cmd *exec.Cmd, after time.Duration) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := bufio.NewReader(out)
	first.Peek(1)
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	all.read(t, first)
	cmd.Wait()
}

// killInside lets a process work until the injected signal ends it.
func killInside(t *testing.T, all acked, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all.read(t, out)
	cmd.Wait()
}
