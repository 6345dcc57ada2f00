package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestI2EndStates pins which states end a recipient's share.
func TestI2EndStates(t *testing.T) {
	for s, want := range map[State]bool{
		StateQueued: false, StateNotified: false, StateBounced: false, StateDeclined: false,
		StateDelivered: true, StateFailed: true, StateRefused: true, StateRecalled: true, StateExpired: true, StateOpened: true,
	} {
		if s.Final() != want {
			t.Errorf("%s: final %t", s, !want)
		}
	}
}

func TestLiveShares(t *testing.T) {
	for _, tt := range []struct {
		r    Recipient
		want bool
	}{
		{Recipient{Action: ActionSeal, State: StateQueued}, true},
		{Recipient{Action: ActionSeal, State: StateNotified}, true},
		{Recipient{Action: ActionSeal, State: StateBounced}, true}, // the bounce may come from the recipient's own forwarding
		{Recipient{Action: ActionSeal, State: StateDeclined}, true},
		{Recipient{Action: ActionSeal, State: StateOpened}, true},
		{Recipient{Action: ActionSeal, State: StateOpened, Ended: StateExpired}, false},
		{Recipient{Action: ActionSeal, State: StateFailed}, false},
		{Recipient{Action: ActionSeal, State: StateRecalled}, false},
		{Recipient{Action: ActionRelay, State: StateQueued}, false},
	} {
		if tt.r.Live() != tt.want {
			t.Errorf("%s %s ended %q: live %t", tt.r.Action, tt.r.State, tt.r.Ended, !tt.want)
		}
	}
}

func TestNotifyWants(t *testing.T) {
	for _, tt := range []struct {
		n                       Notify
		success, failure, delay bool
	}{
		{0, false, true, true},
		{NotifyNever, false, false, false},
		{NotifySuccess, true, false, false},
		{NotifyFailure | NotifyDelay, false, true, true},
	} {
		if tt.n.Wants(NotifySuccess) != tt.success || tt.n.Wants(NotifyFailure) != tt.failure || tt.n.Wants(NotifyDelay) != tt.delay {
			t.Errorf("NOTIFY %b", tt.n)
		}
	}
}

func TestClaimUntilIsTheLongerOfLeaseAndStep(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	c := Claim{Now: now, Lease: 15 * time.Minute, Backoff: []time.Duration{time.Minute, time.Hour}}
	for attempts, want := range map[int]time.Duration{0: 15 * time.Minute, 1: 15 * time.Minute, 2: time.Hour, 9: time.Hour} {
		if got := c.Until(attempts).Sub(now); got != want {
			t.Errorf("attempt %d: %s, want %s", attempts, got, want)
		}
	}
}

func TestRetryRepeatsConflictsOnly(t *testing.T) {
	other := errors.New("other")
	for _, tt := range []struct {
		name  string
		errs  []error
		calls int
		want  error
	}{
		{"at once", []error{nil}, 1, nil},
		{"after conflicts", []error{ErrConflict, fmt.Errorf("row: %w", ErrConflict), nil}, 3, nil},
		{"another error", []error{ErrConflict, other}, 2, other},
		{"for ever", []error{ErrConflict, ErrConflict, ErrConflict, ErrConflict, ErrConflict, nil}, 5, ErrConflict},
	} {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			err := Retry(context.Background(), func() error { calls++; return tt.errs[calls-1] })
			if !errors.Is(err, tt.want) || calls != tt.calls {
				t.Errorf("%d calls, %v", calls, err)
			}
		})
	}
}

func TestReplyErrorKeepsItsCauseApart(t *testing.T) {
	cause := errors.New("disk on fire")
	refusal := Reply(550, [3]int{5, 7, 1}, "Relaying denied")
	with := refusal.With(cause)
	if !errors.Is(with, cause) || refusal.Err != nil || with.Text != "Relaying denied" || with.Status() != "5.7.1" || with.Temporary() {
		t.Errorf("%+v", with)
	}
}
