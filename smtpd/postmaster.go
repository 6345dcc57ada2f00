package smtpd

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/store"
)

// What anybody may send: letters to the postmaster of this host (RFC 5321 §4.5.1, MAIL 6.4). They go on to the
// organisation's postmaster and nowhere else, so whoever can send nothing but them cannot relay.

// Bounds on letters to the postmaster.
const (
	lettersPerHour  = 60
	maxStrangerSize = 1 << 20
)

var errLetters = store.Reply(450, [3]int{4, 7, 1}, "Too many letters to the postmaster, try again later")

// isPostmaster reports whether an address is that of the postmaster of this host.
func (s *Server) isPostmaster(a store.Address) bool {
	return !s.cfg.Postmaster.IsZero() && strings.EqualFold(a.Local, "postmaster") && store.DomainKey(a.Domain) == store.DomainKey(s.cfg.Host)
}

// toPostmaster sends a recipient on. A stranger's sender address may be anybody's: no report goes there, from here or
// from the next hop.
func (s *session) toPostmaster(tx *transaction, r store.Rcpt) (store.Rcpt, error) {
	if !s.srv.letters.room(tx.env.Client.Class, tx.letters+1) {
		return r, errLetters
	}
	tx.letters++
	r.Address = s.srv.cfg.Postmaster
	if tx.env.Client.Class == store.ClientStranger {
		r.Notify = store.NotifyNever
	}
	return r, nil
}

// booked takes a message that has letters to the postmaster. They count from its data on: whoever only asks uses nothing
// up, nor does what breaks off, is too large or cannot be taken now. What the Backend refuses for good does count, for its
// refusal is kept, too.
func (s *session) booked(tx *transaction, b *body, take func() (store.Receipt, error)) (store.Receipt, error) {
	if tx.letters == 0 {
		return take()
	}
	class := tx.env.Client.Class
	at, ok := s.srv.letters.take(class, tx.letters)
	if !ok {
		return store.Receipt{ID: tx.env.ID}, errLetters
	}
	receipt, err := take()
	reply := new(store.ReplyError)
	arriving := b.err == nil || b.err == io.EOF
	if refused := arriving && errors.As(err, &reply) && reply.Code >= 500; err != nil && !refused {
		s.srv.letters.give(class, at, tx.letters)
	}
	return receipt, err
}

// maxSize is how large a message the client may send.
func (s *session) maxSize() int64 {
	if s.client().Class == store.ClientStranger {
		return min(maxStrangerSize, s.srv.cfg.MaxSize)
	}
	return s.srv.cfg.MaxSize
}

// letters counts what goes to the postmaster, strangers' and others' apart, so that no stranger's flood keeps the
// organisation's own mail out.
type letters struct {
	now func() time.Time

	mu sync.Mutex
	at map[store.ClientClass][]time.Time
}

func newLetters(now func() time.Time) *letters {
	return &letters{now: now, at: map[store.ClientClass][]time.Time{}}
}

// room reports whether so many more letters can be booked.
func (l *letters) room(class store.ClientClass, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recent(class, l.now())+n <= lettersPerHour
}

// take books letters, all at one moment; false: there would be too many within an hour.
func (l *letters) take(class store.ClientClass, n int) (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at = l.now()
	if l.recent(class, at)+n > lettersPerHour {
		return at, false
	}
	l.at[class] = append(l.at[class], slices.Repeat([]time.Time{at}, n)...)
	return at, true
}

// give takes letters back that were booked at a moment.
func (l *letters) give(class store.ClientClass, at time.Time, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[class] = slices.DeleteFunc(l.at[class], func(t time.Time) bool {
		if n == 0 || !t.Equal(at) {
			return false
		}
		n--
		return true
	})
}

// recent is how many letters were booked within the hour; older ones are forgotten.
func (l *letters) recent(class store.ClientClass, now time.Time) int {
	l.at[class] = slices.DeleteFunc(l.at[class], func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	return len(l.at[class])
}
