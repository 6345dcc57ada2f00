package relay

import (
	"fmt"
	"strings"

	"postern/store"
	"postern/store/mail"
)

// alarm is the double bounce (MAIL §7): what the postmaster is told of a mail of ours that nobody else can be told of.
// It quotes nothing of it.
func (r *Runner) alarm(res result) (store.OwnMail, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "A mail that this gateway wrote could not be delivered, and it has no\nsender who could be told.\n\n")
	for _, line := range [][2]string{
		{"Kind", string(res.item.Kind)},
		{"To", res.item.To.Address.String()},
		{"About", about(res)},
		{"Item", res.item.Key.String()},
		{"Status", res.status()},
		{"Answer", res.answer.text},
	} {
		if line[1] != "" {
			fmt.Fprintf(&text, "%-8s%s\n", line[0]+":", line[1])
		}
	}
	var raw strings.Builder
	postmaster := mail.Mailbox{Name: "Mail Delivery System", Address: r.cfg.Postmaster}
	letter := mail.Letter{
		From: &postmaster, To: []mail.Mailbox{{Address: r.cfg.Postmaster}}, Subject: "Postern: undeliverable mail of the gateway",
		MessageID: mail.NewMessageID(r.cfg.Host), Date: res.at.In(r.cfg.Zone), Text: text.String(),
		Fields: [][2]string{{"Auto-Submitted", "auto-generated"}, {"X-Postern-Kind", string(store.KindAlarm)}},
	}
	if err := letter.Render(&raw); err != nil {
		return store.OwnMail{}, err
	}
	return store.OwnMail{
		ID: store.NewMessageID(res.at), Kind: store.KindAlarm, To: store.Rcpt{Address: r.cfg.Postmaster, Notify: store.NotifyNever},
		About: res.item.About, At: res.at, GiveUp: res.at.Add(r.cfg.GiveUp), Raw: []byte(raw.String()),
	}, nil
}

func about(res result) string {
	if res.item.About.Message.IsZero() {
		return ""
	}
	return res.item.About.String()
}
