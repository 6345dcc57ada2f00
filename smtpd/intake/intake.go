// Package intake is the business step between the SMTP edge and the store: it decides what happens to a message and
// makes that durable before the edge says 250.
//
// Flow of Accept (ARCHITECTURE 1.6): the header is read within a bound; one View gathers the facts that policy needs;
// policy decides per recipient; header and body stream through the sealer into a Spill, so that no octet of them is
// ever on disk in clear; outside any transaction the file key is wrapped for whoever may read (queue, link, account)
// and own mails are composed; one Update writes message, recipients, queue items and audit events. Every message is
// sealed; only the grants differ between mail that passes through and mail that is picked up.
//
// Anything that a sender can be told is a store.ReplyError; every other error means "try again".
package intake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"postern/smtpd/policy"
	"postern/store"
	"postern/store/mail"
	"postern/store/outbox"
	"postern/store/seal"
)

// maxHeader bounds a header block; a larger one is refused (MAIL §5).
const maxHeader = 1 << 20

// Notice is what a notification tells its recipient.
type Notice struct {
	ID       store.MessageID // of the notification's own queue item
	About    store.RcptKey
	To       store.Rcpt
	Author   mail.Mailbox
	Sender   *store.Address // envelope sender of the original
	Link     seal.LinkSecret
	Sent     time.Time
	Expires  time.Time
	Blind    bool
	External bool // the author is not of the organisation
	NoReply  bool // the site takes no reply
	InInbox  bool // the key of the recipient's account opens the message
	Original store.Excerpt
	GiveUp   time.Time
	Language string // of the recipient's account, in BCP 47; empty: unknown
}

// Notices composes notifications; package notify does.
type Notices interface {
	// Notification returns the mail and its Message-ID, which thread memory keeps.
	Notification(Notice) (store.OwnMail, string, error)
	// FirstPassword returns the mail with a temporary password for an address without account.
	FirstPassword(FirstPassword) (store.OwnMail, error)
}

// FirstPassword is a temporary password that follows a notification (KEYS K8 "temporary-password").
type FirstPassword struct {
	ID       store.MessageID // of the mail's own queue item
	To       store.Address
	Author   mail.Mailbox
	Password string
	Until    time.Time
	GiveUp   time.Time
}

// Refusal is one recipient that was refused while others were accepted.
type Refusal struct {
	Rcpt  store.Rcpt
	Reply *store.ReplyError
}

// Returned is what a report may give back of a message: its header, or of a secret one the excerpt alone (MAIL 6.6).
type Returned struct {
	Header  []byte
	Excerpt *store.Excerpt
}

// Reports composes the report about refused recipients; the caller joins it to package dsn. store.ErrNotFound: nobody
// wants one.
type Reports interface {
	Refused(env store.Envelope, what Returned, refused []Refusal) (store.OwnMail, error)
}

// Config is what an Intake works with.
type Config struct {
	Store    store.Store
	Policy   *policy.Policy
	Keys     *seal.ServerKeys
	Ring     *seal.Ring
	Threads  seal.MACKey // thread memory (MAIL 3.6)
	Outbox   *outbox.Outbox
	Notices  Notices
	Reports  Reports
	Internal func(domain string) bool // is it the organisation's (MAIL "Words")

	FirstAccess store.Access // AccessTemporary: each notification to an address without account is followed by a temporary password

	Host         string        // `hostname`: in Received, and for loop detection
	ExpireAfter  time.Duration // how long a sealed message may wait, unless its tag says otherwise
	GiveUp       time.Duration // how long the queue tries
	ThreadMemory time.Duration
	SealedHour   int // sealed recipients per author and hour (MAIL 9.1)
	SealedDay    int
	RepliesHour  int // replies from the site per account and hour
	RepliesDay   int

	LogAddress func(store.Address) string // spelling in the log (log.addresses)
	Log        *slog.Logger
	Now        func() time.Time
}

// Intake implements smtpd.Backend and message.Sender.
type Intake struct {
	Config
	limits  *limiter
	replies *limiter
}

// New makes an Intake.
func New(c Config) *Intake {
	return &Intake{
		Config: c, limits: newLimiter(c.SealedHour, c.SealedDay, errTooMany),
		replies: newLimiter(c.RepliesHour, c.RepliesDay, errTooManyReplies),
	}
}

// errNoUsers answers every log-on: there are none before the submission listener.
var errNoUsers = store.Reply(535, [3]int{5, 7, 8}, "Authentication credentials invalid")

// Authenticate refuses: relaying goes by network only.
func (in *Intake) Authenticate(context.Context, store.Client, string, string) error {
	return errNoUsers
}

// Recipient has nothing to refuse at RCPT: what it would go by stands in the header (MAIL 5.1).
func (in *Intake) Recipient(context.Context, *store.Envelope, store.Rcpt) error { return nil }

// Accept takes a message that a mail server relays. When it returns nil, the message is durable and every recipient
// has a fate (I2).
func (in *Intake) Accept(ctx context.Context, env store.Envelope, body io.Reader) (store.Receipt, error) {
	return in.accept(ctx, env, nil, body)
}

// AcceptReply takes a reply that was written on the site: the letter goes to the mail server like any other, and its
// stored copy opens for whoever opens what it answers, whose file key parent is, and for the account that wrote it
// (KEYS K6). Without an author it opens for the former alone.
func (in *Intake) AcceptReply(ctx context.Context, env store.Envelope, parent seal.FileKey, body io.Reader) (store.Receipt, error) {
	return in.accept(ctx, env, &parent, body)
}

func (in *Intake) accept(ctx context.Context, env store.Envelope, parent *seal.FileKey, body io.Reader) (store.Receipt, error) {
	br := bufio.NewReaderSize(body, 32<<10)
	header, raw, err := readHeader(br)
	if err != nil {
		return store.Receipt{}, err
	}
	j := &job{in: in, env: env, header: header, raw: raw, parent: parent}
	if err := in.checkLoop(header); err != nil {
		j.recordRefused(ctx, err)
		return j.receipt(), err
	}
	if j.isReply() {
		j.raw = append(in.originField(env, header), raw...)
	} else {
		j.own = in.origin(env, header)
	}
	if err := j.decide(ctx); err != nil {
		return j.receipt(), err
	}
	if err := j.refuseWhole(); err != nil {
		j.recordRefused(ctx, err)
		return j.receipt(), err
	}
	err = j.take(ctx, br)
	return j.receipt(), err
}

func readHeader(br *bufio.Reader) (mail.Header, []byte, error) {
	header, raw, err := mail.ReadHeader(br, maxHeader)
	if errors.Is(err, mail.ErrHeaderTooLarge) {
		return header, nil, store.Reply(554, [3]int{5, 6, 0}, "Message header too large")
	}
	return header, raw, err
}

// take stores the message. Everything before it only read. What is not accepted does not count against its author.
func (j *job) take(ctx context.Context, body io.Reader) error {
	limits, author, n := j.in.limits, j.author, j.sealed()
	if j.isReply() {
		limits, author, n = j.in.replies, store.AddressKey(j.env.Author.String()), 1
	}
	if err := limits.reserve(author, n, j.in.Now()); err != nil {
		return err
	}
	err := j.keep(ctx, body)
	if err != nil {
		limits.give(author, n, j.in.Now())
		return err
	}
	j.logDecisions()
	return nil
}

// keep streams the message into the store and commits it.
func (j *job) keep(ctx context.Context, body io.Reader) error {
	spill := &spill{blobs: j.in.Store.Blobs(), ctx: ctx}
	defer spill.abort()
	if err := j.sealBody(spill, body); err != nil {
		return err
	}
	if err := spill.finish(); err != nil {
		return fmt.Errorf("store body: %w", err)
	}
	return store.Retry(ctx, func() error { return j.commit(ctx, spill) })
}

// sealBody writes header and body through the sealer, and past the MIME indexer when somebody will read it on the
// site.
func (j *job) sealBody(spill *spill, body io.Reader) error {
	w, err := seal.NewWriter(spill, j.env.ID)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	var index *mail.Indexer
	dst := io.Writer(w)
	if j.sealed() > 0 || j.isReply() {
		index = mail.NewIndexer()
		dst = io.MultiWriter(w, index)
	}
	count := &counter{w: dst}
	if _, err := count.Write(j.storedHeader()); err != nil {
		return fmt.Errorf("seal header: %w", err)
	}
	buf := make([]byte, 32<<10)
	if _, err := io.CopyBuffer(count, onlyReader{body}, buf); err != nil {
		return fmt.Errorf("take message: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("seal body: %w", err)
	}
	if index != nil {
		index.Close()
		j.parts = index.Parts()
	}
	j.key, j.size, j.eightBit = w.FileKey(), count.n, count.eight
	return nil
}

// storedHeader is the header as it is kept: as sent, but for Bcc fields when somebody is sealed (MAIL §4, 6.12).
func (j *job) storedHeader() []byte {
	if j.sealed() == 0 {
		return j.raw
	}
	return mail.Strip(j.raw, "Bcc", "Resent-Bcc")
}

// onlyReader hides WriterTo, so that copies go through the one bounded buffer.
type onlyReader struct{ io.Reader }

// counter counts octets and remembers whether one was over 127.
type counter struct {
	w     io.Writer
	n     int64
	eight bool
}

func (c *counter) Write(p []byte) (int, error) {
	for i := 0; !c.eight && i < len(p); i++ {
		c.eight = p[i] >= 0x80
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
