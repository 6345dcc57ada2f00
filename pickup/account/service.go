package account

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// The answers that a caller tells apart. Everything else is a fault of ours: log it, answer 500.
var (
	// ErrSignIn is every failed log-on: unknown address, wrong password, disabled (I9, C1).
	ErrSignIn = errors.New("sign-in failed")
	// ErrNoSession: the cookie belongs to no live session of an active account.
	ErrNoSession = errors.New("no session")
	// ErrHasAccount: the address has an account already, which signs in instead.
	ErrHasAccount = errors.New("the address has an account")
	// ErrUnknownLink: no row belongs to the link's secret.
	ErrUnknownLink = errors.New("unknown or replaced link")
	// ErrLinkOver: the link's message has ended or was closed as not meant for its recipient.
	ErrLinkOver = errors.New("the link opens nothing any more")
	// ErrLinkDisowned: the link is older than the last "it was not me" of its address.
	ErrLinkDisowned = errors.New("the link was mailed before its address disowned an account")
	// ErrNotYours: the link or token is of another account (C4).
	ErrNotYours = errors.New("belongs to another account")
)

// Client is who asks, as throttle, audit and mails name it.
type Client struct {
	IP        netip.Addr
	Browser   string // short label, such as "Firefox 151 on Windows"
	UserAgent string
	Known     string // value of the browser cookie (KEYS K13), "" when there is none
	Ref       string // reference of the request, for the log
}

// Signed is a person behind a request.
type Signed struct {
	Account store.Account
	Seed    seal.Seed // of the account's current key; for this request only
	Session store.Session
	Token   string // value for the session cookie; only where a session began, "" where one went on
	Known   string // value for the browser cookie; only where a full session began

	// Links are what a visit opens (IsVisit), or the messages that wait for whoever has just chosen a first password
	// instead of a mailed one; there the last is the one to go to.
	Links []seal.LinkSecret
	key   seal.SessionToken // of a visit, by which it can take one more link
}

// Mails composes what this package sends; package notify does.
type Mails interface {
	Welcome(notify.AccountMail) (store.OwnMail, error)
	PasswordChanged(notify.AccountMail) (store.OwnMail, error)
	Code(notify.CodeMail) (store.OwnMail, error)
	FirstPassword(notify.FirstPasswordMail) (store.OwnMail, error)
	PasswordChosen(notify.AccountMail) (store.OwnMail, error)
	Disowned(notify.AccountMail) (store.OwnMail, error)
	AccountShut(notify.AccountMail) (store.OwnMail, error)
	AliasAsked(notify.AliasMail) (store.OwnMail, error)
	AliasAdded(notify.AliasMail) (store.OwnMail, error)
	AccountMerged(notify.AliasMail) (store.OwnMail, error)
	AliasRemoved(notify.AliasMail) (store.OwnMail, error)
	AddressFreed(notify.AliasMail) (store.OwnMail, error)
	PasswordReminder(notify.RecoveryMail) (store.OwnMail, error)
	ActivatePassword(notify.RecoveryMail) (store.OwnMail, error)
	TemporaryPassword(notify.RecoveryMail) (store.OwnMail, error)
	ResetPassword(notify.RecoveryMail) (store.OwnMail, error)
	Invitation(notify.InvitationMail) (store.OwnMail, error)
}

// Recorder takes what may be lost and must not hold up a request: it never blocks.
type Recorder interface {
	LastSeen(store.SessionID, time.Time)
	Record(store.Event)
}

// Config is what a Service works with.
type Config struct {
	Store    store.Store
	Keys     *seal.ServerKeys
	Outbox   *outbox.Outbox
	Mails    Mails
	Recorder Recorder

	SiteURL      string   // pickup.url, without slash at its end; links are built from it (KEYS K15)
	Organization []string // names that a password may not contain
	KeepLoggedIn bool     // pickup.keep_logged_in (B11)
	Recovery     Recovery // pickup.recovery; empty: RecoverActivate
	PerMinute    int      // attempts of one client a minute; 0: 10 (KEYS K13)
	Memory       int64    // for Argon2id at one time, in octets; 0: 1 GiB
	Cores        int      // 0: those of the machine

	// Later does a job after the answer that is under way; false: too many wait. Later.Do does.
	Later func(job func(context.Context)) bool

	Now func() time.Time
	Log *slog.Logger
}

const defaultMemory = 1 << 30

// Service holds the rules of accounts. Its methods may be called from several goroutines.
type Service struct {
	Config
	rules    rules
	throttle *throttle
	slots    *slots
	codes    *quota // mailed
}

// New makes a Service.
func New(c Config) *Service {
	if c.Memory <= 0 {
		c.Memory = defaultMemory
	}
	if c.Cores <= 0 {
		c.Cores = runtime.GOMAXPROCS(0)
	}
	if c.Recovery == "" {
		c.Recovery = RecoverActivate
	}
	c.SiteURL = strings.TrimRight(c.SiteURL, "/")
	return &Service{
		Config: c, rules: newRules(c.Organization), throttle: newThrottle(c.PerMinute), slots: newSlots(c.Cores, c.Memory),
		codes: newQuota(codeWindow),
	}
}

// now is the time as records keep it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// find reads the account of an address; the zero Account when there is none.
func find(tx store.Tx, k store.AddressKey) (store.Account, error) {
	a, err := tx.Accounts().ByAddress(k)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, nil
	}
	return a, err
}

// step is the grid on which failures are answered (KEYS K13).
const step = 500 * time.Millisecond

// pace waits until the next multiple of step after a request's arrival.
func (s *Service) pace(ctx context.Context, arrived time.Time) {
	elapsed := max(0, s.Now().Sub(arrived))
	_ = sleep(ctx, step-elapsed%step) // who went away needs no answer
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// label makes a text that came with a request fit for records and mails.
func label(s string) string {
	const maxLabel = 100
	r := []rune(cleanReminder(s))
	return string(r[:min(len(r), maxLabel)])
}
