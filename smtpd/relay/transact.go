package relay

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"postern/store"
)

// outcome is what one transaction came to.
type outcome struct {
	answers []answer // one per item, in order
	rest    []int    // items to offer in another transaction: the next hop took no more, or hung up at a neighbour
	broken  bool     // the connection cannot be used any more
	stale   bool     // it broke at the first command, so nothing was tried
	dsn     bool     // report options were passed on
	data    time.Duration
}

// transaction sends one parcel over one session.
type transaction struct {
	s     *session
	p     *parcel
	route *Route
	out   outcome
	taken []int // items that RCPT accepted
	utf8  bool  // SMTPUTF8 is said
}

// transact runs one SMTP transaction. The parcel's content is open.
func transact(s *session, p *parcel, route *Route) outcome {
	t := transaction{s: s, p: p, route: route}
	t.out.answers = make([]answer, len(p.items))
	if a, ok := t.lacks(); ok {
		t.all(a)
		return t.out
	}
	t.out.dsn, _ = s.client.Extension("DSN")
	if t.mail() && t.rcpts() {
		begin := time.Now()
		t.data()
		t.out.data = time.Since(begin)
	}
	s.tries++
	return t.out
}

// all gives every item the same answer.
func (t *transaction) all(a answer) {
	for i := range t.out.answers {
		t.out.answers[i] = a
	}
}

// unanswered gives an answer to every item that has none.
func (t *transaction) unanswered(a answer) {
	for i := range t.out.answers {
		if t.out.answers[i].status == "" {
			t.out.answers[i] = a
		}
	}
}

// lacks answers for a next hop that cannot take the message as it is (MAIL 8.3): nothing is sent, nothing converted.
func (t *transaction) lacks() (answer, bool) {
	item, c := t.p.item(), t.s.client
	if most, ok := c.MaxMessageSize(); ok && most > 0 && t.p.content.size > int64(most) {
		return lacking("5.3.4", fmt.Sprintf("message has %d octets, next hop takes %d", t.p.content.size, most)), true
	}
	if ok, _ := c.Extension("8BITMIME"); !ok && item.EightBit && t.route.EightBit != EightBitSend {
		return lacking("5.6.3", "message has 8-bit octets, next hop lacks 8BITMIME"), true
	}
	needs, err := t.p.needsUTF8()
	if err != nil {
		return unreadable(err), true
	}
	t.utf8, _ = c.Extension("SMTPUTF8")
	if needs && !t.utf8 {
		return lacking("5.6.7", "message has international addresses, next hop lacks SMTPUTF8"), true
	}
	t.utf8 = t.utf8 && (needs || item.UTF8)
	return answer{}, false
}

func lacking(status, text string) answer {
	return answer{stage: stageMail, status: status, text: text, permanent: true}
}

// needsUTF8 reports whether the parcel cannot go without SMTPUTF8: an address or a header field is not ASCII. Clients
// ask for the extension wherever it is offered, so having asked says little.
func (p *parcel) needsUTF8() (bool, error) {
	item := p.item()
	if item.From != nil && !item.From.ASCII() {
		return true, nil
	}
	for _, i := range p.items {
		if !i.To.Address.ASCII() {
			return true, nil
		}
	}
	if !item.UTF8 || !item.EightBit {
		return false, nil
	}
	return p.header8bit()
}

func (t *transaction) mail() bool {
	item := t.p.item()
	opts := &smtp.MailOptions{Size: t.p.content.size, Return: smtp.DSNReturn(item.Ret), UTF8: t.utf8}
	if printable(item.EnvID) {
		opts.EnvelopeID = item.EnvID
	}
	from := ""
	if item.From != nil {
		from = spelling(*item.From, t.utf8)
	}
	err := t.s.client.Mail(from, opts)
	if err == nil {
		return true
	}
	a, ends := t.fault(stageMail, err)
	t.out.stale = ends && t.s.tries > 0 // a reused connection that the next hop had closed meanwhile
	t.all(a)
	return false
}

// fault turns an error into an answer and notes when the connection is over.
func (t *transaction) fault(s stage, err error) (a answer, ends bool) {
	reply, ends := broken(err)
	if ends {
		t.out.broken = true
	}
	if reply == nil {
		return silence(s, "4.4.2", err), ends
	}
	return hear(s, reply), ends
}

// rcpts offers the recipients; false: none was taken.
func (t *transaction) rcpts() bool {
	for i, item := range t.p.items {
		opts, kind := rcptOptions(item, t.utf8)
		t.s.wire.orcpt = kind
		err := t.s.client.Rcpt(spelling(item.To.Address, t.utf8), opts)
		if err == nil {
			t.taken = append(t.taken, i)
			continue
		}
		a, ends := t.fault(stageRcpt, err)
		if ends {
			t.leaveOut(i, a)
			return false
		}
		if tooMany(a) && len(t.taken) > 0 {
			for ; i < len(t.p.items); i++ {
				t.out.rest = append(t.out.rest, i)
			}
			break
		}
		t.out.answers[i] = a
	}
	if len(t.taken) == 0 {
		t.reset()
	}
	return len(t.taken) > 0
}

// maxLeftOut is how many recipients a parcel is offered without, one after the other. A next hop that hangs up at every
// name is not asked for each.
const maxLeftOut = 3

// leaveOut notes that the connection ended at a recipient. It may be this one's doing, so the others are offered again
// without it: else they would share its fate at each attempt (I5). Those that were taken before got no data either.
func (t *transaction) leaveOut(i int, a answer) {
	t.out.answers[i] = a
	if t.p.leftOut++; t.p.leftOut > maxLeftOut {
		t.unanswered(a)
		return
	}
	for n := range t.out.answers {
		if t.out.answers[n].status == "" {
			t.out.rest = append(t.out.rest, n)
		}
	}
}

// tooMany is "too many recipients" (RFC 5321 §4.5.3.1.10).
func tooMany(a answer) bool {
	return a.code == 452 && (a.status == "4.5.3" || a.status == "4.0.0") || a.code == 552 && a.status != "5.2.2"
}

// reset gives the transaction up. It does not use the client's Reset, behind which that says EHLO again: a second EHLO
// that fails would look like a next hop that lacks everything, which ends messages (MAIL 8.3).
func (t *transaction) reset() {
	if err := t.s.wire.ask("RSET", 250, t.s.client.CommandTimeout); err != nil {
		t.out.broken = true
	}
}

// data sends the message to the recipients that were taken.
func (t *transaction) data() {
	give := func(a answer) {
		for _, i := range t.taken {
			t.out.answers[i] = a
		}
	}
	cmd, err := t.s.client.Data()
	if err != nil {
		a, ends := t.fault(stageData, err)
		if give(a); !ends {
			t.reset()
		}
		return
	}
	if a, ok := t.body(cmd); !ok {
		t.out.broken = true // no final dot: what was sent is void
		give(a)
		return
	}
	give(t.end(cmd))
}

// body streams the content. It goes past the client's own DotWriter but for the last line end, which that needs to
// know where it is (see dotWriter).
func (t *transaction) body(cmd *smtp.DataCommand) (answer, bool) {
	r, err := t.p.content.reader()
	if err != nil {
		return unreadable(err), false
	}
	src := &watched{r: r}
	dots := &dotWriter{w: t.s.wire}
	if _, err = io.CopyBuffer(dots, src, t.s.buffer()); err == nil {
		_, err = cmd.Write(crlf)
	}
	switch {
	case src.err != nil:
		return unreadable(src.err), false
	case err != nil:
		return silence(stageData, "4.4.2", err), false
	}
	return answer{}, true
}

// watched remembers the error of the source, to tell it from one of the connection.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// unreadable is the answer for a body that cannot be read here.
func unreadable(err error) answer {
	var d damage
	if errors.As(orDamage(err), &d) {
		return answer{stage: stageData, status: "5.3.0", text: damagedText, permanent: true, damaged: true, cause: err}
	}
	return answer{stage: stageData, status: "4.3.0", text: localText, cause: err}
}

// What stands for an answer where we are at fault; the cause goes to the log only.
const (
	damagedText = "stored copy cannot be read"
	localText   = "local trouble"
)

// end writes the final dot and reads its answer.
func (t *transaction) end(cmd *smtp.DataCommand) answer {
	ok, err := cmd.CloseWithResponse()
	if err == nil {
		return taken(&smtp.SMTPError{Code: 250, Message: ok.StatusText})
	}
	reply, ends := broken(err)
	if reply != nil && reply.Code/100 == 2 { // any 2xx is yes (RFC 5321 §4.3.2)
		return taken(reply)
	}
	if ends {
		t.out.broken = true
	}
	if reply == nil {
		a := silence(stageEnd, "4.4.2", err)
		a.duplicate = true
		return a
	}
	return hear(stageEnd, reply)
}

func taken(reply *smtp.SMTPError) answer {
	a := hear(stageEnd, reply)
	a.status, a.remoteID = "2.0.0", remoteID(a.text)
	return a
}

// spelling is how an address is sent: as received with SMTPUTF8, else with its domain as A-label.
func spelling(a store.Address, utf8 bool) string {
	if utf8 {
		return a.String()
	}
	for i := range len(a.Domain) {
		if a.Domain[i] >= 0x80 {
			return a.Local + "@" + store.DomainKey(a.Domain)
		}
	}
	return a.String()
}

// rcptOptions are the report options of a recipient, in a transaction with SMTPUTF8 or without. orcpt is the type of the
// original recipient where the client knows it not: it stands there as one of mail, and the wire names it.
func rcptOptions(item store.QueueItem, utf8 bool) (opts *smtp.RcptOptions, orcpt string) {
	opts = &smtp.RcptOptions{}
	for _, n := range []struct {
		member store.Notify
		word   smtp.DSNNotify
	}{
		{store.NotifyNever, smtp.DSNNotifyNever}, {store.NotifySuccess, smtp.DSNNotifySuccess},
		{store.NotifyFailure, smtp.DSNNotifyFailure}, {store.NotifyDelay, smtp.DSNNotifyDelayed},
	} {
		if item.To.Notify&n.member != 0 {
			opts.Notify = append(opts.Notify, n.word)
		}
	}
	kind, address, _ := strings.Cut(item.To.ORcpt, ";")
	switch kind = strings.ToUpper(strings.TrimSpace(kind)); {
	case kind == string(smtp.DSNAddressTypeUTF8):
		opts.OriginalRecipientType, opts.OriginalRecipient = smtp.DSNAddressTypeUTF8, escaped(address, utf8)
	case kind != "" && printable(address):
		opts.OriginalRecipientType, opts.OriginalRecipient = smtp.DSNAddressTypeRFC822, address
		if kind != string(smtp.DSNAddressTypeRFC822) {
			orcpt = kind
		}
	}
	return opts, orcpt
}

// escaped escapes what the library leaves as it is in an ORCPT of type utf-8 (RFC 6533 §3): a backslash, which would
// look like the beginning of an escape, and without SMTPUTF8 what is not ASCII.
func escaped(address string, utf8 bool) string {
	var b strings.Builder
	for _, c := range address {
		if c == '\\' || c >= 0x80 && !utf8 {
			fmt.Fprintf(&b, `\x{%X}`, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// printable reports a text that go-smtp takes as ENVID or ORCPT.
func printable(s string) bool {
	return s != "" && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}
