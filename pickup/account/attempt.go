package account

import (
	"context"
)

// Attempt is one try at a password that is no recipient's: the console's. It stands under the same rules as every
// other log-on (KEYS K13), with the same slots, so that neither site can starve the other.
type Attempt struct {
	Name   string // what was typed as the address
	Known  bool   // the browser signed in under that name before
	Client Client
}

// Attempt runs try, which costs exactly one Argon2id, behind the throttle and in a slot. What try answers is answered;
// an error at the next multiple of 500 ms after arrival, whatever its cause (I9). *BusyError asks to wait.
func (s *Service) Attempt(ctx context.Context, a Attempt, try func(context.Context) error) error {
	arrived := s.Now()
	err := s.attempt(ctx, a, try)
	if err != nil {
		s.pace(ctx, arrived)
	}
	return err
}

func (s *Service) attempt(ctx context.Context, a Attempt, try func(context.Context) error) error {
	// The blank keeps the series of the two sites apart: no address begins with one.
	k := trackKey{address: " " + trackAddress(a.Name), known: a.Known}
	if err := s.admit(ctx, a.Client, k); err != nil {
		return err
	}
	who := stranger
	if a.Known {
		who = guest
	}
	if err := s.inSlot(ctx, who, try); err != nil {
		return err
	}
	s.throttle.success(k)
	return nil
}

func (s *Service) inSlot(ctx context.Context, c class, f func(context.Context) error) error {
	release, err := s.slots.acquire(ctx, c)
	if err != nil {
		return err
	}
	defer release()
	return f(ctx)
}

// Label makes a text that came with a request, such as a browser's name, fit for records: one line, short.
func Label(s string) string { return label(s) }
