package dsn

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"postern/store"
)

// statusPart is the part for programs: RFC 3464, or RFC 6533 §3 in the UTF8 form.
func statusPart(r Report) part {
	var b bytes.Buffer
	field(&b, "Reporting-MTA", "dns; "+r.Host)
	if r.EnvID != "" {
		field(&b, "Original-Envelope-Id", r.plain(r.EnvID))
	}
	if !r.Arrived.IsZero() {
		field(&b, "Arrival-Date", r.Arrived.In(r.zone()).Format(time.RFC1123Z))
	}
	for _, rc := range r.Rcpts {
		b.WriteString("\r\n")
		statusRcpt(&b, r, rc)
	}
	if r.UTF8 {
		return textPart("message/global-delivery-status", "", b.String())
	}
	return part{kind: "message/delivery-status", body: b.Bytes()}
}

func statusRcpt(b *bytes.Buffer, r Report, rc Rcpt) {
	if kind, address, ok := strings.Cut(rc.ORcpt, ";"); ok {
		original := r.typed(strings.TrimSpace(kind), strings.TrimSpace(address))
		if len(original) < maxLine { // escapes make it longer, and it cannot be folded
			field(b, "Original-Recipient", original)
		}
	}
	field(b, "Final-Recipient", r.typed("rfc822", r.final(rc.Final)))
	field(b, "Action", string(r.action(rc)))
	field(b, "Status", rc.Status)
	if rc.RemoteMTA != "" {
		field(b, "Remote-MTA", "dns; "+r.plain(rc.RemoteMTA))
	}
	if rc.Diagnostic != "" {
		field(b, "Diagnostic-Code", breakWords(r.plain(rc.Diagnostic)))
	}
	if !rc.LastAttempt.IsZero() {
		field(b, "Last-Attempt-Date", rc.LastAttempt.In(r.zone()).Format(time.RFC1123Z))
	}
	if !rc.WillRetryUntil.IsZero() && r.action(rc) == Delayed {
		field(b, "Will-Retry-Until", rc.WillRetryUntil.In(r.zone()).Format(time.RFC1123Z))
	}
}

// plain makes a value safe for its field; only the UTF8 form may hold more than ASCII.
func (r Report) plain(s string) string {
	if r.UTF8 {
		return oneLine(s)
	}
	return strings.Map(func(c rune) rune {
		if c >= 0x80 {
			return '?'
		}
		return c
	}, oneLine(s))
}

// final is the recipient as it was used: with the domain as A-label unless the local part needs UTF-8 anyway.
func (r Report) final(a store.Address) string {
	if r.UTF8 && !a.ASCII() {
		return a.String()
	}
	return a.Local + "@" + asciiDomain(a.Domain)
}

// typed writes an address with its type. One that is not ASCII has the type utf-8, and outside the UTF8 form it is
// escaped as utf-8-addr-xtext (RFC 6533 §3).
func (r Report) typed(kind, address string) string {
	if isASCII(address) {
		return oneLine(kind + "; " + address)
	}
	if r.UTF8 {
		return "utf-8; " + oneLine(address)
	}
	return "utf-8; " + utf8Xtext(address)
}

func utf8Xtext(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c > ' ' && c < 0x7f && c != '\\' && c != '+' && c != '=' {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, `\x{%X}`, c)
		}
	}
	return b.String()
}
