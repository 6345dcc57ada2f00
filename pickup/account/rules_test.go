package account

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/store"
)

func failed(list []Criterion) []string {
	var ids []string
	for _, c := range list {
		if !c.Met {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func TestC11Criteria(t *testing.T) {
	t.Parallel()
	s := New(Config{Organization: []string{"Example County Council"}})
	tests := []struct {
		name, password string
		want           []string
	}{
		{"empty", "", []string{CriterionLength, CriterionCase, CriterionDigit, CriterionOwn, CriterionCommon, CriterionGuess}},
		{"good", "Blue lantern 42", nil},
		{"good without Latin letters", "Бурый медведь 42", nil},
		{"pass phrase without classes", "correct horse battery staple", nil},
		{"short", "Xk9#pLm2Q", []string{CriterionLength}},
		{"one case", "blue lantern 42", []string{CriterionCase}},
		{"letters only", "Blue lanternes", []string{CriterionDigit}},
		{"from the address", "My Hartley-Lamp 42", []string{CriterionOwn}},
		{"from the address, capitals", "My HARTLEY-lamp 42", []string{CriterionOwn}},
		{"from the organisation", "council lamp below the blue stairs", []string{CriterionOwn}},
		{"common", "1234567890", []string{CriterionCase, CriterionCommon, CriterionGuess}},
		{"common with decoration", "Passw0rd!!", []string{CriterionGuess}},
		{"summer and year", "Sommer2026!", []string{CriterionGuess}},
		{"repeated", strings.Repeat("a", 30), []string{CriterionGuess}},
		{"repeated, outside the estimate's alphabet", strings.Repeat("😀", 72), []string{CriterionGuess}},
		{"longest", strings.Repeat("Blue lantern 42!", 16), nil},
		{"too long", strings.Repeat("Blue lantern 42!", 16) + "x", []string{CriterionLength}},
		{"no text", "Blue lantern \xff42", []string{CriterionLength}},
	}
	for _, tt := range tests {
		got := failed(s.Criteria(tt.password, []string{"joan.hartley@mail.example"}))
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: failed criteria %v, want %v", tt.name, got, tt.want)
		}
	}
}

// The estimate's time grows steeply with the length: of a long password only the beginning is looked at.
func TestK13EstimateLooksAtSeventyTwoCharacters(t *testing.T) {
	t.Parallel()
	head := strings.Repeat("grüne Lampe ", 6)
	if n := len([]rune(head)); n != 72 {
		t.Fatalf("head of %d characters", n)
	}
	if got, want := guesses(head+strings.Repeat("a1B!19.12.2026", 400), nil), guesses(head, nil); got != want {
		t.Errorf("%g guesses, want %g", got, want)
	}
}

// Whoever has a link may ask for an estimate: signs that stand for letters must not be tried in every combination.
func TestK13EstimateOfManySignsIsBounded(t *testing.T) {
	if n := len(readings("a4@b8c({[<e3g69i1!|l17o0s$5t+7x%z2")); n == 0 || n > 4 {
		t.Errorf("%d readings", n)
	}
	password := strings.Repeat("a4@b8c({[<e3g69i1!|l17o0s$5t+7x%z2", 3)
	if allocs := testing.AllocsPerRun(1, func() { guesses(password, nil) }); allocs > 500_000 {
		t.Errorf("%.0f allocations", allocs)
	}
	for _, p := range []string{"p4$$w0rd", "dr4g0n12345", "7r33house7r33", "Passw0rd!!"} {
		if guesses(p, nil) >= minGuesses {
			t.Errorf("%s passes", p)
		}
	}
}

func TestC11OwnWords(t *testing.T) {
	t.Parallel()
	s := New(Config{Organization: []string{"Example County Council"}})
	want := []string{"joan", "hartley", "mail", "example", "county", "council"}
	if got := s.OwnWords([]string{"Joan.Hartley@mail.example"}); !slices.Equal(got, want) {
		t.Errorf("words %v, want %v", got, want)
	}
}

func TestA03Reminder(t *testing.T) {
	t.Parallel()
	const password = "Blue lantern 42"
	tests := []struct {
		reminder string
		want     error
	}{
		{"", nil},
		{"   ", nil},
		{"the lamp of our first flat", nil},
		{"my password is blue Lantern 42 of course", ErrReminderHint},
		{"mine: bluelantern42", ErrReminderHint},
		{"lantern", ErrReminderHint},
		{"b", ErrReminderHint},
		{strings.Repeat("é", MaxReminder), nil},
		{strings.Repeat("é", MaxReminder+1), ErrReminderLong},
		{"e\u0301 " + strings.Repeat("e\u0301", MaxReminder-2), nil},
	}
	for _, tt := range tests {
		if err := checkReminder(cleanReminder(tt.reminder), password); !errors.Is(err, tt.want) {
			t.Errorf("reminder %q: %v, want %v", tt.reminder, err, tt.want)
		}
	}
	if got := cleanReminder(" a\x00b\r\nc\xff\td "); got != "a b c d" {
		t.Errorf("cleaned to %q", got)
	}
}

func TestK13TenAttemptsAMinutePerClient(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 9, 10, 0, 0, 0, time.UTC)
	th := newThrottle(0)
	tests := []struct{ name, first, same, other string }{
		{"IPv4", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"},
		{"IPv6", "2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"},
	}
	for _, tt := range tests {
		first, same, other := netip.MustParseAddr(tt.first), netip.MustParseAddr(tt.same), netip.MustParseAddr(tt.other)
		for i := range 10 {
			if err := th.client(first, now); err != nil {
				t.Fatalf("%s: attempt %d: %v", tt.name, i+1, err)
			}
		}
		busy := new(BusyError)
		if err := th.client(same, now); !errors.As(err, &busy) || busy.RetryAfter != 6*time.Second {
			t.Errorf("%s: 11th attempt: %v, want busy for 6s", tt.name, err)
		}
		if err := th.client(other, now); err != nil {
			t.Errorf("%s: another client: %v", tt.name, err)
		}
		if err := th.client(first, now.Add(6*time.Second)); err != nil {
			t.Errorf("%s: 6 s later: %v", tt.name, err)
		}
	}
}

func TestK13PausesPerAddressDouble(t *testing.T) {
	t.Parallel()
	th := newThrottle(0)
	now := time.Date(2026, 6, 9, 10, 0, 0, 0, time.UTC)
	k := trackKey{address: "bob@example.net"}
	if wait, err := th.address(k, now); wait != 0 || err != nil {
		t.Fatalf("first attempt waits %v, %v", wait, err)
	}
	for _, s := range []int{1, 2, 4} {
		wait, err := th.address(k, now)
		if err != nil || wait != time.Duration(s)*time.Second {
			t.Fatalf("pause of %ds: %v, %v", s, wait, err)
		}
		now = now.Add(wait)
	}
	for _, s := range []int{8, 16, 32, 60, 60} {
		busy := new(BusyError)
		if _, err := th.address(k, now); !errors.As(err, &busy) || busy.RetryAfter != time.Duration(s)*time.Second {
			t.Fatalf("pause of %ds: %v", s, err)
		}
		now = now.Add(busy.RetryAfter)
		if wait, err := th.address(k, now); wait != 0 || err != nil {
			t.Fatalf("after the pause of %ds: %v, %v", s, wait, err)
		}
	}
	if wait, err := th.address(trackKey{address: k.address, known: true}, now); wait != 0 || err != nil {
		t.Errorf("a browser that signed in before waits %v, %v", wait, err)
	}
	th.success(k)
	if wait, err := th.address(k, now); wait != 0 || err != nil {
		t.Errorf("after a success: waits %v, %v", wait, err)
	}
}

func TestK13ParallelAttemptsQueue(t *testing.T) {
	t.Parallel()
	th := newThrottle(0)
	now := time.Date(2026, 6, 9, 10, 0, 0, 0, time.UTC)
	var waits []time.Duration
	busy := 0
	for range 50 {
		wait, err := th.address(trackKey{address: "bob@example.net"}, now)
		if err != nil {
			busy++
			continue
		}
		waits = append(waits, wait)
	}
	if want := []time.Duration{0, time.Second, 3 * time.Second}; !slices.Equal(waits, want) || busy != 47 {
		t.Errorf("50 attempts at once: %d refused, the others wait %v; want %v", busy, waits, want)
	}
}

func TestK13MapsAreBounded(t *testing.T) {
	t.Parallel()
	m := newLRU[int, int](3)
	for i := range 100 {
		*m.get(i, func() int { return 0 }) = i
		m.get(0, func() int { return -1 }) // used again and again
	}
	if m.len() != 3 {
		t.Errorf("%d entries, want 3", m.len())
	}
	if got := *m.get(0, func() int { return -1 }); got != 0 {
		t.Error("the entry in use was dropped")
	}
	if got := *m.get(50, func() int { return -1 }); got != -1 {
		t.Error("an unused entry was kept")
	}
}

func TestK13SlotsByMemoryAndCores(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cores      int
		memory     int64
		free, open int
	}{
		{8, 1 << 30, 8, 4}, {64, 1 << 30, 16, 8}, {2, 1 << 30, 2, 1}, {3, 1 << 30, 3, 2}, {1, 1 << 30, 1, 1}, {4, 1, 1, 1},
	}
	for _, tt := range tests {
		if s := newSlots(tt.cores, tt.memory); s.free != tt.free || s.open != tt.open {
			t.Errorf("%d cores, %d octets: %d slots, %d open to strangers; want %d, %d", tt.cores, tt.memory, s.free, s.open, tt.free, tt.open)
		}
	}
}

func TestK13StrangersLeaveHalfOfTheSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(4, 1<<30)
		ctx := t.Context()
		var release []func()
		for range 2 {
			r, err := s.acquire(ctx, stranger)
			if err != nil {
				t.Fatal(err)
			}
			release = append(release, r)
		}
		start := time.Now()
		busy := new(BusyError)
		if _, err := s.acquire(ctx, stranger); !errors.As(err, &busy) || busy.RetryAfter <= 0 {
			t.Errorf("third stranger: %v, want busy", err)
		}
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("busy after %v, want 5s", waited)
		}
		for range 2 {
			if _, err := s.acquire(ctx, guest); err != nil {
				t.Errorf("guest beside strangers: %v", err)
			}
		}
		got := make(chan class, 2)
		for _, c := range []class{stranger, guest} {
			go func() {
				if _, err := s.acquire(ctx, c); err == nil {
					got <- c
				}
			}()
			synctest.Wait() // the stranger came first
		}
		release[0]()
		if c := <-got; c != guest {
			t.Error("a stranger was served before a waiting guest")
		}
		release[1]()
		release[1]() // a second call changes nothing
		if c := <-got; c != stranger {
			t.Error("the waiting stranger was not served")
		}
		if s.free != 0 || s.open != 1 {
			t.Errorf("%d slots free, %d open; want 0, 1", s.free, s.open)
		}
	})
}

func TestK8WhatProvesAnAddress(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 9, 10, 0, 0, 0, time.UTC)
	own, alias := store.Address{Local: "bob", Domain: "mail.example"}, store.Address{Local: "eve", Domain: "mail.example"}
	same := store.Address{Local: "BOB", Domain: "mail.example"}
	tests := []struct {
		name     string
		standing store.Standing
		to       store.Address
		made     time.Time
		want     bool
	}{
		{"link of before", store.Provisional, own, at.Add(-time.Hour), false},
		{"link of that moment", store.Provisional, own, at, false},
		{"link of after", store.Provisional, own, at.Add(time.Millisecond), true},
		{"in another spelling", store.Provisional, same, at.Add(time.Millisecond), true},
		{"to an alias", store.Provisional, alias, at.Add(time.Hour), false},
		{"confirmed already", store.Confirmed, own, at.Add(time.Hour), false},
	}
	for _, tt := range tests {
		a := store.Account{Address: own, Aliases: []store.Address{alias}, Standing: tt.standing, RegisteredAt: at}
		if got := ProvesAddress(a, tt.to, store.Grant{Made: tt.made}); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
