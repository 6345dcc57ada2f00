package smtpd

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-smtp"

	"postern/smtpd/guard"
	"postern/store"
)

// maxText is the longest text that leaves room for code, status, reference and CRLF in 300 octets (MAIL §5).
const maxText = 240

var (
	errFull  = store.Reply(452, [3]int{4, 3, 1}, "Insufficient system storage")
	errLocal = store.Reply(451, [3]int{4, 3, 0}, "Temporary local problem")
	errCut   = store.Reply(421, [3]int{4, 3, 2}, "Closing for maintenance")
)

// refusal is the reply that stands for err: the one of MAIL §5 that it carries or implies, "try again" otherwise.
func refusal(err error) *store.ReplyError {
	var reply *store.ReplyError
	var wire *smtp.SMTPError
	switch {
	case errors.As(err, &reply) && reply.Code >= 400 && reply.Code < 600:
		return reply
	case errors.As(err, &wire) && wire.Code >= 400 && wire.Code < 600:
		return replyError(wire)
	case errors.Is(err, store.ErrFull):
		return errFull
	case errors.Is(err, context.Canceled):
		return errCut
	}
	return errLocal
}

// replyFor is the one mapping from errors to SMTP replies. The text is one printable ASCII line with the reference at
// its end; causes stay in the log.
func replyFor(err error, ref string) *smtp.SMTPError {
	r := refusal(err)
	text := printable(strings.Join(strings.Fields(r.Text), " "))
	return &smtp.SMTPError{
		Code:         r.Code,
		EnhancedCode: smtp.EnhancedCode(r.Enhanced),
		Message:      strings.TrimRight(text[:min(len(text), maxText)], " ") + " (ref " + ref + ")",
	}
}

// wording is a reply of go-smtp's and what we say instead (MAIL §5).
type wording struct {
	verb   string // empty: any
	code   int
	status string // empty: any
	say    guard.Reply
}

// wordings is looked through in order.
var wordings = []wording{
	{"MAIL", 250, "", guard.Reply{Code: 250, Status: "2.1.0", Text: "Ok"}},
	{"RCPT", 250, "", guard.Reply{Code: 250, Status: "2.1.5", Text: "Ok"}},
	{"NOOP", 250, "", guard.Reply{Code: 250, Status: "2.0.0", Text: "Ok"}},
	{"RSET", 250, "", guard.Reply{Code: 250, Status: "2.0.0", Text: "Ok"}},
	{"MAIL", 501, "5.5.2", guard.Reply{Code: 501, Status: "5.1.7", Text: "Bad sender address"}},
	{"RCPT", 501, "5.5.2", guard.Reply{Code: 501, Status: "5.1.3", Text: "Bad recipient address"}},
	{"MAIL", 500, "5.5.4", guard.Reply{Code: 555, Status: "5.5.4", Text: "Parameter not recognized"}},
	{"RCPT", 500, "5.5.4", guard.Reply{Code: 555, Status: "5.5.4", Text: "Parameter not recognized"}},
	{"MAIL", 504, "5.5.4", guard.Reply{Code: 555, Status: "5.5.4", Text: "Parameter not implemented"}},
	{"RCPT", 504, "5.5.4", guard.Reply{Code: 555, Status: "5.5.4", Text: "Parameter not implemented"}},
	{"AUTH", 523, "", guard.Reply{Code: 538, Status: "5.7.11", Text: "Encryption required"}},
	{"AUTH", 454, "", guard.Reply{Code: 501, Status: "5.5.2", Text: "Malformed AUTH exchange"}},
	{"AUTH", 502, "5.5.4", guard.Reply{Code: 501, Status: "5.5.4", Text: "AUTH needs a mechanism"}},
	{"EHLO", 501, "", guard.Reply{Code: 501, Status: "5.5.4", Text: "Domain or address literal required"}},
	{"HELO", 501, "", guard.Reply{Code: 501, Status: "5.5.4", Text: "Domain or address literal required"}},
	{"LHLO", 500, "", guard.Reply{Code: 500, Status: "5.5.1", Text: "This is not an LMTP server"}},
	{"", 500, "5.5.1", guard.Reply{Code: 421, Status: "4.7.0", Text: "Too many errors"}},
	{"", 502, "5.5.1", guard.Reply{Code: 503, Status: "5.5.1", Text: "Bad sequence of commands"}},
	{"", 500, "5.5.2", guard.Reply{Code: 500, Status: "5.5.2", Text: "Command not recognized"}},
	{"", 501, "5.5.2", guard.Reply{Code: 500, Status: "5.5.2", Text: "Command not recognized"}},
	{"", 421, "4.0.0", guard.Reply{Code: 421, Status: "4.3.0", Text: "Temporary local problem"}},
}

// unimplemented are commands that go-smtp answers 502 because it lacks them, not because of their place.
var unimplemented = []string{"SEND", "SOML", "SAML", "EXPN", "HELP", "TURN"}

// rewrite words go-smtp's own replies as MAIL §5 does.
func (s *Server) rewrite(_ *guard.Conn, r guard.Reply) guard.Reply {
	switch {
	case r.Verb == "HELO" && r.Code == 250:
		return guard.Reply{Verb: r.Verb, Code: 250, Text: s.cfg.Host}
	case r.Verb == "AUTH" && !s.cfg.Users && r.Code >= 500:
		return guard.Reply{Verb: r.Verb, Code: 502, Status: "5.5.1", Text: "AUTH is not available"}
	case r.Code == 552:
		e := tooLarge(s.cfg.MaxSize)
		return guard.Reply{Verb: r.Verb, Code: e.Code, Status: e.Status(), Text: e.Text}
	case r.Code == 502 && slices.Contains(unimplemented, r.Verb):
		return guard.Reply{Verb: r.Verb, Code: 502, Status: "5.5.1", Text: "Command not implemented"}
	}
	for _, w := range wordings {
		if (w.verb == "" || w.verb == r.Verb) && w.code == r.Code && (w.status == "" || w.status == r.Status) {
			say := w.say
			say.Verb = r.Verb
			return say
		}
	}
	return r
}
