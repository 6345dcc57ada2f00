package smtpd

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/emersion/go-smtp"

	"postern/smtpd/guard"
	"postern/store"
)

var (
	errNoCRLF  = store.Reply(550, [3]int{5, 6, 0}, "Message does not end with CRLF")
	errBroken  = store.Reply(421, [3]int{4, 4, 2}, "Message transfer broken off")
	errPanic   = store.Reply(421, [3]int{4, 3, 0}, "Temporary local problem")
	errNoMail  = store.Reply(503, [3]int{5, 5, 1}, "Bad sequence of commands")
	errNotRead = errors.New("backend accepted a message that it had not read to the end")
)

func tooLarge(limit int64) *store.ReplyError {
	return store.Reply(552, [3]int{5, 3, 4}, fmt.Sprintf("Message exceeds %d bytes", limit))
}

// Data takes a message. Its error is always the reply, a *smtp.SMTPError, of success too. Under BDAT it runs beside the
// connection's goroutine, which may reset the session meanwhile: so it works on a snapshot.
func (s *session) Data(r io.Reader) error {
	tx := s.current()
	if tx == nil {
		return s.refuse("DATA", nil, errNoMail)
	}
	s.srv.work.Add(1)
	defer s.srv.work.Done()
	env := tx.env
	env.Rcpts = slices.Clone(env.Rcpts)
	began := time.Now()
	b := &body{r: r, conn: s.conn, limit: s.maxSize(), tooLarge: tooLarge(s.maxSize())}
	receipt, err := s.booked(tx, b, func() (store.Receipt, error) { return s.accept(env, b) })
	return s.answer(outcome{env: env, body: b, receipt: receipt, err: err, took: time.Since(began)})
}

// accept calls the Backend and holds it to its contract.
func (s *session) accept(env store.Envelope, b *body) (receipt store.Receipt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errPanic.With(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	receipt, err = s.srv.cfg.Backend.Accept(s.srv.ctx, env, b)
	if err == nil && b.err != io.EOF {
		err = errNotRead
	}
	return receipt, err
}

// outcome is how the taking of a message ended.
type outcome struct {
	env     store.Envelope
	body    *body
	receipt store.Receipt
	err     error
	took    time.Duration
}

// answer logs an outcome and returns its reply.
func (s *session) answer(o outcome) error {
	if o.err != nil {
		return s.refuseMessage(o)
	}
	s.logAccept(o)
	if s.srv.cfg.Metrics.Accepted != nil {
		s.srv.cfg.Metrics.Accepted(o.body.n, o.took)
	}
	return &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: "Ok: queued as " + o.receipt.ID.String()}
}

// body gives the Backend the message, refuses what is too large or does not end with CRLF, and turns errors of guard
// and go-smtp into refusals that the Backend can hand back. Its first error stays.
type body struct {
	r        io.Reader
	conn     *guard.Conn
	limit    int64
	tooLarge *store.ReplyError

	n     int64
	tail  [2]byte
	err   error
	reset bool // go-smtp ended the message and answers it by itself
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	b.note(p[:n])
	switch {
	case b.n > b.limit:
		b.err = b.tooLarge
		return 0, b.err
	case err == io.EOF && b.n > 0 && b.tail != [2]byte{'\r', '\n'}:
		b.err = errNoCRLF
	case err == io.EOF:
		b.err = io.EOF
	case err != nil:
		b.err = b.translate(err)
	}
	return n, b.err
}

func (b *body) note(p []byte) {
	b.n += int64(len(p))
	switch n := len(p); {
	case n >= 2:
		b.tail = [2]byte(p[n-2:])
	case n == 1:
		b.tail = [2]byte{b.tail[1], p[0]}
	}
}

// translate finds the reply to a message that broke off. Under BDAT go-smtp hides the guard's error behind
// ErrDataReset and answers the chunk itself.
func (b *body) translate(err error) error {
	b.reset = errors.Is(err, smtp.ErrDataReset)
	if broken := b.conn.Broken(); broken != nil {
		return replyError(broken).With(err)
	}
	var e *smtp.SMTPError
	switch {
	case errors.Is(err, smtp.ErrDataTooLarge):
		return b.tooLarge
	case errors.As(err, &e):
		return replyError(e)
	}
	return errBroken.With(err)
}

func replyError(e *smtp.SMTPError) *store.ReplyError {
	return store.Reply(e.Code, e.EnhancedCode, e.Message)
}
