package smtpd

import (
	"net/netip"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"postern/store"
)

// Bounds on guessing (MAIL 9.1).
const (
	failuresPerConn    = 3
	failuresPerAddress = 10
	failureWindow      = 10 * time.Minute
)

var (
	errCredentials = store.Reply(535, [3]int{5, 7, 8}, "Authentication credentials invalid")
	errGuessing    = store.Reply(421, [3]int{4, 7, 0}, "Too many errors")
	errMechanism   = store.Reply(504, [3]int{5, 5, 4}, "Unsupported authentication mechanism")
	errAuthInMail  = store.Reply(503, [3]int{5, 5, 1}, "AUTH is not permitted during a mail transaction")
)

// authSession is a session that may log on: under TLS, of a Server that has users.
type authSession struct{ *session }

var _ smtp.AuthSession = (*authSession)(nil)

// AuthMechanisms are what EHLO offers.
func (s *authSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth begins a log-on.
func (s *authSession) Auth(mechanism string) (sasl.Server, error) {
	s.logConnect()
	switch {
	case s.current() != nil: // RFC 4954 §4
		return nil, s.refuse("AUTH", nil, errAuthInMail)
	case s.srv.failures.over(s.conn.Remote()):
		return nil, s.refuse("AUTH", nil, errGuessing)
	case mechanism == sasl.Plain:
		return sasl.NewPlainServer(s.plain), nil
	case mechanism == sasl.Login:
		return &loginServer{check: s.logOn}, nil
	}
	return nil, s.refuse("AUTH", nil, errMechanism)
}

// plain refuses to act for somebody else than who logs on (RFC 4616 §2).
func (s *authSession) plain(identity, user, password string) error {
	if identity != "" && identity != user {
		return s.failed(errCredentials)
	}
	return s.logOn(user, password)
}

func (s *authSession) logOn(user, password string) error {
	if err := s.srv.cfg.Backend.Authenticate(s.srv.ctx, s.client(), user, password); err != nil {
		return s.failed(err)
	}
	s.user = user
	s.logAuth()
	return nil
}

// failed counts a refused log-on; trouble of ours is not the client's failure.
func (s *authSession) failed(err error) error {
	if refusal(err).Temporary() {
		return s.refuse("AUTH", nil, err)
	}
	if s.srv.cfg.Metrics.AuthFailed != nil {
		s.srv.cfg.Metrics.AuthFailed()
	}
	s.srv.failures.add(s.conn.Remote())
	if s.conn.AuthFailed() >= failuresPerConn {
		err = errGuessing.With(err)
	}
	return s.refuse("AUTH", nil, err)
}

// loginServer is the LOGIN mechanism, which never became a standard and which mail programs use all the same.
type loginServer struct {
	check func(user, password string) error
	user  *string
}

// Next asks for what is missing; an initial response is the user.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case l.user == nil:
		user := string(response)
		l.user = &user
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(*l.user, string(response))
}

// failures remembers failed log-ons by address, for a while.
type failures struct {
	now func() time.Time

	mu sync.Mutex
	at map[netip.Addr][]time.Time
}

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, at: map[netip.Addr][]time.Time{}}
}

// over reports whether an address has failed too often lately.
func (f *failures) over(addr netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget()
	return len(f.at[addr]) >= failuresPerAddress
}

func (f *failures) add(addr netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at[addr] = append(f.at[addr], f.now())
}

// forget drops what is too old to count; f.mu is held.
func (f *failures) forget() {
	since := f.now().Add(-failureWindow)
	for addr, times := range f.at {
		for len(times) > 0 && times[0].Before(since) {
			times = times[1:]
		}
		if f.at[addr] = times; len(times) == 0 {
			delete(f.at, addr)
		}
	}
}
