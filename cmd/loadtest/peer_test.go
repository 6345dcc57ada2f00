package main

import (
	"context"
	"os"
	"testing"
	"time"

	"postern/cmd/testneed"
)

// TestPeerPostfixTakesTheLoad runs a small load through a real Postfix, so that the comparison is known to work.
func TestPeerPostfixTakesTheLoad(t *testing.T) {
	testneed.Program(t, "postfix")
	if os.Getuid() != 0 {
		testneed.Missing(t, "Postfix needs root to start")
	}
	dir, err := os.MkdirTemp("", "postern-loadtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r, err := measure(context.Background(), options{messages: 50, conns: 5, size: 4096, timeout: time.Minute}, "postfix", dir+"/postfix")
	if err != nil {
		t.Fatal(err)
	}
	if err := damage([]result{r}); err != nil {
		t.Fatal(err)
	}
	if r.anon == 0 || len(r.latency) != 50 {
		t.Errorf("nothing was measured: %+v", r)
	}
}
