package smtpd

import (
	"crypto/tls"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/emersion/go-smtp"

	"postern/smtpd/guard"
	"postern/store"
)

// Bounds of DSN parameters (RFC 3461 §4.4, §4.2).
const (
	maxEnvID = 100
	maxORcpt = 500
)

// Refusals of commands (MAIL §5).
var (
	errHelo       = store.Reply(501, [3]int{5, 5, 4}, "Bad HELO or EHLO argument")
	errNested     = store.Reply(503, [3]int{5, 5, 1}, "Nested MAIL command")
	errNoTLS      = store.Reply(530, [3]int{5, 7, 0}, "Must issue a STARTTLS command first")
	errNoAuth     = store.Reply(530, [3]int{5, 7, 0}, "Authentication required")
	errSender     = store.Reply(501, [3]int{5, 1, 7}, "Bad sender address")
	errSenderQ    = store.Reply(553, [3]int{5, 1, 7}, "Quoted local parts are not supported")
	errRecipient  = store.Reply(501, [3]int{5, 1, 3}, "Bad recipient address")
	errRecipientQ = store.Reply(553, [3]int{5, 1, 3}, "Quoted local parts are not supported")
	errNeedsUTF8  = store.Reply(553, [3]int{5, 6, 7}, "Address needs SMTPUTF8")
	errEnvID      = store.Reply(501, [3]int{5, 5, 4}, "Bad ENVID parameter")
	errORcpt      = store.Reply(501, [3]int{5, 5, 4}, "Bad ORCPT parameter")
	errRelaying   = store.Reply(550, [3]int{5, 7, 1}, "Relaying denied")
	errTooMany    = store.Reply(452, [3]int{4, 5, 3}, "Too many recipients")
)

// session is one connection's dialogue, between the TLS that it has and its end. All methods but Data run on the
// connection's goroutine; under BDAT Data runs beside them, with a snapshot of the transaction.
type session struct {
	srv    *Server
	smtp   *smtp.Conn
	conn   *guard.Conn
	peer   *peer
	user   string // authenticated as
	logged bool   // the connect line is written

	mu sync.Mutex
	tx *transaction // nil: no MAIL yet
}

// transaction is one MAIL with its RCPTs. It is replaced, never emptied.
type transaction struct {
	env       store.Envelope
	announced int64
	letters   int // recipients that are the postmaster of this host
}

var _ smtp.Session = (*session)(nil)

// newSession is go-smtp's question at the first EHLO or HELO.
func (s *Server) newSession(c *smtp.Conn) (smtp.Session, error) {
	conn := c.Conn().(*guard.Conn)
	base := &session{srv: s, smtp: c, conn: conn, peer: conn.Attached().(*peer)}
	if s.cfg.Resolve != nil {
		s.work.Go(func() { base.peer.resolve() }) // ready, mostly, when MAIL comes
	}
	if s.cfg.Users && conn.TLS() != nil {
		return &authSession{base}, nil
	}
	return base, nil
}

// Reset forgets the transaction. A message that Data is taking goes on with its own snapshot.
func (s *session) Reset() { s.set(nil) }

// Logout ends the session.
func (s *session) Logout() error {
	s.logConnect()
	s.set(nil)
	return nil
}

func (s *session) set(tx *transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx != nil {
		s.srv.announced.Add(-s.tx.announced)
	}
	if s.tx = tx; tx != nil {
		s.srv.announced.Add(tx.announced)
	}
}

func (s *session) current() *transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx
}

// Mail begins a transaction.
func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	s.peer.resolve() // for log, envelope and trace field
	s.logConnect()
	tx, err := s.begin(from, opts)
	if err != nil {
		return s.refuse("MAIL", nil, err)
	}
	s.set(tx)
	return nil
}

func (s *session) begin(from string, opts *smtp.MailOptions) (*transaction, error) {
	if err := s.mayMail(); err != nil {
		return nil, err
	}
	sender, err := s.sender(from, opts.UTF8)
	switch {
	case err != nil:
		return nil, err
	case opts.Size > s.maxSize():
		return nil, tooLarge(s.maxSize())
	case len(opts.EnvelopeID) > maxEnvID:
		return nil, errEnvID
	}
	if err := s.srv.cfg.Ready(s.srv.ctx); err != nil {
		return nil, err
	}
	size := opts.Size
	if s.client().Class == store.ClientStranger {
		size = 0 // it can send little, and must not keep room from those who can send more
	}
	if err := s.srv.cfg.Room(s.srv.announced.Load() + size); err != nil {
		return nil, err
	}
	at := s.srv.cfg.Now().UTC().Truncate(time.Millisecond)
	return &transaction{announced: size, env: store.Envelope{
		ID: store.NewMessageID(at), At: at, Client: s.client(), From: sender, Ret: store.Ret(opts.Return), EnvID: opts.EnvelopeID,
		Size: opts.Size, UTF8: opts.UTF8, EightBit: opts.Body == smtp.Body8BitMIME,
	}}, nil
}

// mayMail checks what must hold before MAIL. The name given with HELO is looked at here, because go-smtp does not show
// a second one to its backend.
func (s *session) mayMail() error {
	_, submits := s.conn.Listener().Listener.(submission)
	switch {
	case s.current() != nil:
		return errNested
	case !validHelo(s.smtp.Hostname()):
		return errHelo
	case submits && s.user == "" && s.conn.TLS() == nil:
		return errNoTLS
	case submits && s.user == "":
		return errNoAuth
	}
	return nil
}

// sender reads the address of MAIL; nil is the null sender.
func (s *session) sender(from string, utf8 bool) (*store.Address, error) {
	if from == "" {
		return nil, nil
	}
	a, err := s.address(from, utf8, addressErrors{bad: errSender, quoted: errSenderQ})
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// addressErrors are the replies to bad addresses of one command.
type addressErrors struct{ bad, quoted *store.ReplyError }

// address reads a path that go-smtp has taken out of its brackets and quotes. Content that needed the quotes is
// refused: the next hop would get it without (MAIL 2.2).
func (s *session) address(path string, utf8 bool, e addressErrors) (store.Address, error) {
	quoted := isQuoted(s.conn.Command())
	a, err := store.ParseAddress(path)
	switch {
	case quoted && (err != nil || strings.Contains(path, `"`)):
		return store.Address{}, e.quoted
	case err != nil:
		return store.Address{}, e.bad
	case !utf8 && printable(path) != path:
		return store.Address{}, errNeedsUTF8
	}
	return a, nil
}

// isQuoted reports whether the path of a MAIL or RCPT command begins with a quote, a source route aside.
func isQuoted(command string) bool {
	_, path, _ := strings.Cut(command, ":")
	path = strings.TrimPrefix(strings.TrimLeft(path, " \t"), "<")
	if strings.HasPrefix(path, "@") {
		_, path, _ = strings.Cut(path, ":")
	}
	return strings.HasPrefix(path, `"`)
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, opts *smtp.RcptOptions) error {
	tx := s.current()
	r, err := s.recipient(tx, to, opts)
	if err == nil {
		err = s.srv.cfg.Backend.Recipient(s.srv.ctx, &tx.env, r)
	}
	if err != nil {
		return s.refuse("RCPT", &r.Address, err)
	}
	tx.env.Rcpts = append(tx.env.Rcpts, r)
	return nil
}

func (s *session) recipient(tx *transaction, to string, opts *smtp.RcptOptions) (store.Rcpt, error) {
	a, err := s.address(to, tx.env.UTF8, addressErrors{bad: errRecipient, quoted: errRecipientQ})
	if err != nil {
		return store.Rcpt{}, err
	}
	r := store.Rcpt{Address: a, Notify: notifyOf(opts.Notify), ORcpt: orcptOf(opts, s.conn.Command())}
	postmaster := s.srv.isPostmaster(a)
	switch {
	case tx.env.Client.Class == store.ClientStranger && !postmaster:
		return r, errRelaying
	case len(tx.env.Rcpts) >= s.srv.cfg.MaxRcpts:
		return r, errTooMany
	case len(r.ORcpt) > maxORcpt || strings.ContainsFunc(r.ORcpt, notPrintable):
		return r, errORcpt
	case postmaster:
		return s.toPostmaster(tx, r)
	}
	return r, nil
}

func notifyOf(words []smtp.DSNNotify) (n store.Notify) {
	for _, w := range words {
		switch w {
		case smtp.DSNNotifyNever:
			n |= store.NotifyNever
		case smtp.DSNNotifySuccess:
			n |= store.NotifySuccess
		case smtp.DSNNotifyFailure:
			n |= store.NotifyFailure
		case smtp.DSNNotifyDelayed:
			n |= store.NotifyDelay
		}
	}
	return n
}

func notPrintable(r rune) bool { return !unicode.IsPrint(r) }

// tlsNames are the names of version and cipher as they stand in log and trace.
func tlsNames(state *tls.ConnectionState) (version, cipher string) {
	return strings.ReplaceAll(tls.VersionName(state.Version), " ", ""), tls.CipherSuiteName(state.CipherSuite)
}
