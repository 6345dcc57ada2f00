package dsn

import (
	"fmt"
	"strings"
	"time"
)

// textWidth is the width of the text for people.
const textWidth = 72

// humanPart is the part that the sender reads.
func humanPart(r Report, p Phrases) part {
	var b strings.Builder
	paragraph(&b, "", p.opening(r.Kind, r.secure()))
	for _, rc := range r.Rcpts {
		b.WriteString("\n")
		humanRcpt(&b, r, p, rc)
	}
	b.WriteString("\n")
	if !r.Arrived.IsZero() {
		paragraph(&b, "", fill(p.Sent, r.stamp(r.Arrived)))
	}
	paragraph(&b, "", fill(p.Reference, r.ID.String()))
	b.WriteString("\n")
	paragraph(&b, "", p.Attached)
	paragraph(&b, "", fill(p.Help, r.Postmaster.String()))
	if r.OrgName != "" {
		b.WriteString("\n")
		paragraph(&b, "", r.OrgName)
	}
	return textPart("text/plain", "", b.String())
}

func humanRcpt(b *strings.Builder, r Report, p Phrases, rc Rcpt) {
	const indent = "    "
	paragraph(b, "  ", "<"+rc.Final.String()+">")
	reason := rc.Reason
	if reason == "" {
		reason = p.Reasons.of(rc.Status)
	}
	paragraph(b, indent, reason)
	if kind, said, _ := strings.Cut(rc.Diagnostic, ";"); kind == "smtp" && rc.RemoteMTA != "" && r.action(rc) != Relayed {
		paragraph(b, indent, fill(p.Answer, rc.RemoteMTA))
		paragraph(b, indent+"  ", strings.TrimSpace(said))
	}
	if r.action(rc) == Delayed && !rc.WillRetryUntil.IsZero() {
		paragraph(b, indent, fill(p.RetryUntil, r.stamp(rc.WillRetryUntil)))
	}
}

func (p Phrases) opening(k Kind, secure bool) string {
	plain := map[Kind]string{Failed: p.Failed, Delayed: p.Delayed, Relayed: p.Relayed}
	sealed := map[Kind]string{Failed: p.SecureFailed, Delayed: p.SecureDelayed, Relayed: p.SecureRelayed}
	if secure {
		return sealed[k]
	}
	return plain[k]
}

// stamp is a time for people, with the name of its zone (MAIL 6.1).
func (r Report) stamp(t time.Time) string { return t.In(r.zone()).Format("2006-01-02 15:04 MST") }

// fill puts one value where a phrase says %s; a phrase without it gets the value at its end, so that a slip in a
// catalogue loses nothing.
func fill(phrase, value string) string {
	if strings.Count(phrase, "%s") == 1 && strings.Count(phrase, "%") == 1 {
		return fmt.Sprintf(phrase, value)
	}
	return strings.TrimSpace(strings.ReplaceAll(phrase, "%s", "") + " " + value)
}

// paragraph writes text in lines of textWidth, each with an indent.
func paragraph(b *strings.Builder, indent, text string) {
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line) > len(indent) && len([]rune(line))+1+len([]rune(word)) > textWidth {
			b.WriteString(line + "\n")
			line = indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
}
