package relay

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"postern/smtpd/dsn"
	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// Config is what a Runner works with. Zero fields get the values named.
type Config struct {
	Store  store.Store
	Ring   *seal.Ring
	Outbox *outbox.Outbox
	Routes []Route // the first that matches a domain

	Dial    func(ctx context.Context, network, address string) (net.Conn, error) // net.Dialer
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)         // net.DefaultResolver
	Roots   *x509.CertPool                                                       // the system's

	// Sign makes the DKIM fields for mail whose From is of a domain; none when no key covers it. It reads the message
	// from its beginning, perhaps several times. An error that is ErrUnsigned lets the message go without. Nil: no mail
	// is signed.
	Sign func(domain string, rewind func() (io.Reader, error)) ([]byte, error)

	Host       string // hostname of this gateway
	Ehlo       string // what is said in EHLO; Host
	OrgName    string
	Postmaster store.Address // author of reports, and who gets double bounces
	Zone       *time.Location
	Internal   func(domain string) bool // is it the organisation's; none is

	Backoff     []time.Duration // delay after the n-th failure, the last one repeats; DefaultBackoff
	Jitter      func() float64  // in [0,1); math/rand/v2
	GiveUp      time.Duration   // of mails that are written here; 5 days
	DelayNotice time.Duration   // first delay notice about a notification; 1 h
	Phrases     dsn.Phrases     // dsn.English
	Replies     Replies         // nil: nobody is told of failed replies
	Limits      Limits
	Timeouts    Timeouts
	Hooks       Hooks
	Log         *slog.Logger // discards
	Now         func() time.Time
	LogAddress  func(store.Address) string // how the log spells addresses; plainly
}

// Replies composes what the writer of a reply on the site is told when it did not arrive (MAIL §7), at a moment. false:
// nothing.
type Replies interface {
	ReplyNotDelivered(context.Context, time.Time, store.Message, store.Recipient) (store.OwnMail, bool, error)
}

// Limits bound the work under way.
type Limits struct {
	Conns    int           // connections in all; 100. A hop without any may always open one
	PerHop   int           // per next hop; 20
	Batch    int           // items of one claim; 50
	PerMail  int           // recipients of one transaction; 100
	Lease    time.Duration // of a claim; 15 min
	Extend   time.Duration // a lease is extended so often; 5 min
	Patience time.Duration // after it a job lets go of what it has not begun; 10 s
	Idle     time.Duration // an unused connection is kept so long; 15 s
	Reuse    time.Duration // a connection is used so long in all; 5 min
}

// Timeouts of a connection (RFC 5321 §4.5.3.2).
type Timeouts struct {
	Dial    time.Duration // per address; 30 s
	Hello   time.Duration // greeting, EHLO, STARTTLS, each; 5 min
	Command time.Duration // any other command; 5 min
	Write   time.Duration // one block of data; 3 min
	Final   time.Duration // from the final dot to its answer; 10 min
}

// Hooks tell what happens, for metrics. They must not block; nil ones are left out.
type Hooks struct {
	// Attempt is one recipient's attempt that has been committed.
	Attempt func(Attempt)
	// Down is a next hop that does not answer, until when; a zero time says that it answers again.
	Down func(route string, until time.Time)
	// DoubleBounce is a mail with a null sender that failed.
	DoubleBounce func(store.Kind)
	// Signed is a message that Sign was asked for; err says why it has no signature.
	Signed func(domain string, err error)
	// Conns is the number of connections in use.
	Conns func(int)
}

// Attempt is what Hooks.Attempt gets.
type Attempt struct {
	Kind   store.Kind
	Route  string
	Result Result
	Delay  time.Duration // since arrival
	Wait   time.Duration // between due and claim
}

// Result is how an attempt ended.
type Result string

// The results.
const (
	Sent     Result = "sent"     // the next hop took it
	Deferred Result = "deferred" // tried again later
	Failed   Result = "failed"   // ended
	Returned Result = "returned" // not tried: next hop down, or let go; the attempt does not count
	Lost     Result = "lost"     // somebody else holds or ended the item
)

// DefaultBackoff is the retry table of MAIL 8.1.
func DefaultBackoff() []time.Duration {
	var table []time.Duration
	for _, minutes := range []int{1, 2, 5, 10, 15, 30, 30, 60, 60, 120, 180} {
		table = append(table, time.Duration(minutes)*time.Minute)
	}
	return table
}

// downSteps is how long a next hop that does not answer is left alone (MAIL 8.1).
var downSteps = [...]time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute}

// relayNotice is when the sender of mail that passes through hears of a delay, secondNotice when the sender of a sealed
// message hears of it again (MAIL §7).
const (
	relayNotice  = 4 * time.Hour
	secondNotice = 24 * time.Hour
)

func (c Config) withDefaults() Config {
	orElse(&c.Ehlo, c.Host)
	orElse(&c.GiveUp, 5*24*time.Hour)
	orElse(&c.DelayNotice, time.Hour)
	orElse(&c.Zone, time.UTC)
	orElse(&c.Phrases, dsn.English())
	orElse(&c.Limits.Conns, 100)
	orElse(&c.Limits.PerHop, 20)
	orElse(&c.Limits.Batch, 50)
	orElse(&c.Limits.PerMail, 100)
	orElse(&c.Limits.Lease, 15*time.Minute)
	orElse(&c.Limits.Extend, 5*time.Minute)
	orElse(&c.Limits.Patience, 10*time.Second)
	orElse(&c.Limits.Idle, 15*time.Second)
	orElse(&c.Limits.Reuse, 5*time.Minute)
	orElse(&c.Timeouts.Dial, 30*time.Second)
	orElse(&c.Timeouts.Hello, 5*time.Minute)
	orElse(&c.Timeouts.Command, 5*time.Minute)
	orElse(&c.Timeouts.Write, 3*time.Minute)
	orElse(&c.Timeouts.Final, 10*time.Minute)
	return c.withFuncs()
}

func (c Config) withFuncs() Config {
	if len(c.Backoff) == 0 {
		c.Backoff = DefaultBackoff()
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Resolve == nil {
		c.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if c.Internal == nil {
		c.Internal = func(string) bool { return false }
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.LogAddress == nil {
		c.LogAddress = store.Address.String
	}
	return c
}

func orElse[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Validate answers all that is wrong with a configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Store == nil || c.Ring == nil || c.Outbox == nil {
		errs = append(errs, errors.New("relay needs a store, a ring and an outbox"))
	}
	if c.Host == "" || c.Postmaster.IsZero() {
		errs = append(errs, errors.New("relay needs a host name and a postmaster"))
	}
	for _, r := range c.Routes {
		errs = append(errs, r.Validate())
	}
	return errors.Join(errs...)
}

// backoff is the delay after the n-th failure, ±10 %.
func (c Config) backoff(n int) time.Duration {
	step := c.Backoff[min(max(n, 1), len(c.Backoff))-1]
	return time.Duration(float64(step) * (0.9 + 0.2*c.Jitter()))
}

// longestWait is more than what an item ever waits for its next attempt.
func (c Config) longestWait() time.Duration { return 2 * max(slices.Max(c.Backoff), c.Limits.Lease) }
