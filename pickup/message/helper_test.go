package message_test

import (
	"context"
	"regexp"
	"sync"
	"testing"

	"postern/store"
)

var welcomeLink = regexp.MustCompile(`https://pickup\.example\.org/w/([0-9a-z]{37})`)

// welcome is the token of the one welcome mail that waits.
func (e *env) welcome() string {
	e.t.Helper()
	mails := e.bed.Mails(store.KindWelcome)
	if len(mails) != 1 {
		e.t.Fatalf("%d welcome mails wait, want 1", len(mails))
	}
	return welcomeLink.FindStringSubmatch(mails[0])[1]
}

// run starts a job and ends it with the test.
func run(t *testing.T, job func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- job(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}
