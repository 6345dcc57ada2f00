package account

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"postern/store"
)

const (
	maxWait      = 5 * time.Second // a request is held so long before it is answered "busy"
	maxDelay     = 60 * time.Second
	forgetAfter  = 15 * time.Minute // without attempts, delays begin at one second again
	maxTracked   = 1 << 16          // clients, and addresses
	defaultBurst = 10               // attempts of a client a minute (KEYS K13)
)

// BusyError tells a client to come back later: it or its address tried too often, or all Argon2 slots were taken. It
// says nothing about whether the address has an account.
type BusyError struct{ RetryAfter time.Duration }

func (e *BusyError) Error() string {
	return fmt.Sprintf("busy, try again in %s", e.RetryAfter.Round(time.Second))
}

// throttle limits attempts before they cost an Argon2id (KEYS K13): so many a minute per client network, and growing
// pauses per address, known or not. Browsers that signed in to the account before are counted apart, so that a
// stranger's guesses do not shut the owner out.
type throttle struct {
	perMinute float64
	mu        sync.Mutex
	clients   *lru[netip.Prefix, bucket]
	tracks    *lru[trackKey, track]
	mails     *lru[mailKey, mailed]
}

type trackKey struct {
	address store.AddressKey
	known   bool
}

// mailKey is a kind of mail to an account.
type mailKey struct {
	account store.AccountID
	kind    string
}

// mailed is what is left of an hour's mails, and when the last one was sent.
type mailed struct {
	left float64
	at   time.Time
	last time.Time
}

// bucket holds what a client has left of its minute.
type bucket struct {
	left float64
	at   time.Time
}

// track is the series of attempts at one address. An attempt counts as failed until it succeeds, so that parallel
// ones queue as well.
type track struct {
	tried int
	next  time.Time // when the next attempt may begin
}

func newThrottle(perMinute int) *throttle {
	if perMinute <= 0 {
		perMinute = defaultBurst
	}
	return &throttle{
		perMinute: float64(perMinute),
		clients:   newLRU[netip.Prefix, bucket](maxTracked),
		tracks:    newLRU[trackKey, track](maxTracked),
		mails:     newLRU[mailKey, mailed](maxTracked),
	}
}

// client takes one attempt of a client's minute.
func (t *throttle) client(ip netip.Addr, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.clients.get(network(ip), func() bucket { return bucket{left: t.perMinute, at: now} })
	b.left = min(t.perMinute, b.left+now.Sub(b.at).Minutes()*t.perMinute)
	b.at = now
	if b.left < 1 {
		return &BusyError{RetryAfter: time.Duration((1 - b.left) / t.perMinute * float64(time.Minute))}
	}
	b.left--
	return nil
}

// mail reports whether one more mail of a kind may go to an account now, and counts it. Anybody can ask for such mails,
// so that they must not become a nuisance.
func (t *throttle) mail(id store.AccountID, m mailing, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.mails.get(mailKey{id, m.kind}, func() mailed { return mailed{left: mailsAnHour, at: now} })
	b.left = min(mailsAnHour, b.left+now.Sub(b.at).Hours()*mailsAnHour)
	b.at = now
	if b.left < 1 || !b.last.IsZero() && now.Sub(b.last) < m.gap {
		return false
	}
	b.left--
	b.last = now
	return true
}

// address takes a place in the series of an address and says how long to wait for it.
func (t *throttle) address(k trackKey, now time.Time) (time.Duration, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr := t.tracks.get(k, func() track { return track{next: now} })
	if now.Sub(tr.next) > forgetAfter {
		*tr = track{next: now}
	}
	if tr.next.Before(now) {
		tr.next = now
	}
	wait := tr.next.Sub(now)
	if wait > maxWait {
		return 0, &BusyError{RetryAfter: wait}
	}
	tr.tried++
	tr.next = tr.next.Add(pause(tr.tried))
	return wait, nil
}

// success ends the series of an address.
func (t *throttle) success(k trackKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tracks.delete(k)
}

// pause after the n-th attempt: 1, 2, 4 … 60 s.
func pause(n int) time.Duration {
	if n > 6 {
		return maxDelay
	}
	return time.Second << (n - 1)
}

// network is what counts as one client: an IPv4 address, or the /64 that a customer of IPv6 gets.
func network(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() {
		return netip.Prefix{}
	}
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		panic("account: impossible prefix length")
	}
	return p
}
