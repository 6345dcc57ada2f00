package intake

import (
	"fmt"
	"strings"
	"time"

	"postern/store"
	"postern/store/mail"
	"postern/store/outbox"
)

// Bounds of loop detection (MAIL 8.6). Passing here two or three times is normal: groups, return routes.
const (
	maxReceived = 100 // RFC 5321 §6.3
	maxOwn      = 4
)

var errLoop = store.Reply(554, [3]int{5, 4, 6}, "Routing loop detected")

// checkLoop refuses a message that has been on its way for too long.
func (in *Intake) checkLoop(h mail.Header) error {
	received := h.All("Received")
	if len(received) > maxReceived {
		return errLoop
	}
	own := 0
	for _, v := range received {
		if receivedBy(v, in.Host) {
			own++
		}
	}
	if own >= maxOwn {
		return errLoop
	}
	return nil
}

func receivedBy(value, host string) bool {
	words := strings.Fields(value)
	for i, w := range words[:max(len(words)-1, 0)] {
		if strings.EqualFold(w, "by") && strings.EqualFold(words[i+1], host) {
			return true
		}
	}
	return false
}

// origin is the mark of a mail of ours that came back; nil for all other mail (MAIL 6.2).
func (in *Intake) origin(env store.Envelope, h mail.Header) *outbox.Mark {
	value := h.Get("X-Postern-Origin")
	if value == "" || h.Count("X-Postern-Origin") != 1 || h.Count("Message-ID") != 1 {
		return nil
	}
	mark, ok := in.Outbox.VerifyOrigin(value, h.Get("Message-ID"), keysOf(env.Rcpts))
	if !ok {
		return nil
	}
	return &mark
}

// originField marks a reply as ours.
func (in *Intake) originField(env store.Envelope, h mail.Header) []byte {
	value := in.Outbox.OriginField(outbox.Mark{Kind: store.KindReply, NeedTLS: true}, h.Get("Message-ID"), keysOf(env.Rcpts))
	return []byte("X-Postern-Origin: " + value + "\r\n")
}

func keysOf(rcpts []store.Rcpt) []store.AddressKey {
	keys := make([]store.AddressKey, len(rcpts))
	for i, r := range rcpts {
		keys[i] = r.Address.Key()
	}
	return keys
}

// received is the trace field that is prepended on delivery (RFC 5321 §4.4, MAIL 2.3). "for" stands there only with
// one recipient: else it would reveal a blind copy.
func (j *job) received() string {
	c := j.env.Client
	if c.Class == store.ClientSite {
		return fmt.Sprintf("Received: by %s (Postern) with HTTP id %s;\r\n\t%s\r\n", j.in.Host, j.env.ID, j.env.At.Format(dateFormat))
	}
	forPart := ""
	if len(j.env.Rcpts) == 1 {
		forPart = "\r\n\tfor <" + wireForm(j.env.Rcpts[0].Address) + ">"
	}
	return fmt.Sprintf("Received: from %s (%s)\r\n\tby %s (Postern) with %s id %s%s;\r\n\t%s\r\n",
		c.Helo, peerInfo(c), j.in.Host, protocol(j.env), j.env.ID, forPart, j.env.At.Format(dateFormat))
}

// wireForm is an address in ASCII where that can be: such mail goes on without SMTPUTF8 too, and so must the field.
func wireForm(a store.Address) string {
	if key := store.DomainKey(a.Domain); a.ASCII() && key != strings.ToLower(a.Domain) {
		a.Domain = key
	}
	return a.String()
}

// dateFormat is the date-time of RFC 5322 §3.3.
const dateFormat = "Mon, 2 Jan 2006 15:04:05 -0700"

func peerInfo(c store.Client) string {
	ip := c.IP
	if strings.Contains(ip, ":") {
		ip = "IPv6:" + ip
	}
	if c.RDNS == "" {
		return "[" + ip + "]"
	}
	return c.RDNS + " [" + ip + "]"
}

// protocol is the "with" word of RFC 3848 and RFC 6531 §3.7.3.
func protocol(env store.Envelope) string {
	if !env.Client.ESMTP {
		return "SMTP"
	}
	word := "ESMTP"
	if env.UTF8 {
		word = "UTF8SMTP"
	}
	if env.Client.TLS != "" {
		word += "S"
	}
	if env.Client.User != "" {
		word += "A"
	}
	return word
}

// excerpt is what a report may name of a sealed message (MAIL 6.6). Each notification carries it, so it is short.
func excerpt(h mail.Header) store.Excerpt {
	field := func(name string) string { return shorten(h.Get(name)) }
	return store.Excerpt{From: field("From"), To: field("To"), Subject: field("Subject"), Date: field("Date"), MessageID: field("Message-ID")}
}

// maxExcerpt is how many octets of a field an excerpt has.
const maxExcerpt = 2000

// shorten cuts a field behind one of its words.
func shorten(s string) string {
	if len(s) <= maxExcerpt {
		return s
	}
	cut := max(strings.LastIndexAny(s[:maxExcerpt], " \t"), 0)
	return strings.TrimRight(s[:cut], " \t,") + " ..."
}

// sentAt is the message's own date, or its arrival where that does not parse or lies in the future.
func sentAt(h mail.Header, arrived time.Time) time.Time {
	card := mail.NewCard(h, nil)
	if card.Date.IsZero() || card.Date.After(arrived) {
		return arrived
	}
	return card.Date
}
