package relay

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-smtp"

	"postern/store/mail"
)

// stage is the step of a transaction that an answer belongs to.
type stage string

// The stages. What fails before MAIL is the next hop's fault, never the message's.
const (
	stageConnect stage = "connect" // name, dial, greeting, EHLO
	stageTLS     stage = "starttls"
	stageAuth    stage = "auth"
	stageMail    stage = "mail"
	stageRcpt    stage = "rcpt"
	stageData    stage = "data"
	stageEnd     stage = "end of data"
)

// answer is what a next hop said, or what stands for it when it said nothing or was not asked.
type answer struct {
	stage     stage
	code      int    // 0: no reply
	status    string // RFC 3463; always set
	text      string // one line, scrubbed (MAIL 6.5)
	permanent bool
	remoteID  string // queue id at the next hop, from a final 250
	damaged   bool   // the stored copy cannot be read any more
	duplicate bool   // the message may have arrived all the same
	cause     error  // of a local fault; for the log
}

// exception is a 5xx that is temporary all the same.
type exception struct {
	stage  stage // "": any
	code   int
	status string // "": any
}

// exceptions are the answers that blame our connection, certificate or log-on, or mean a 4xx (MAIL 8.2).
var exceptions = [...]exception{
	{code: 530},                                                  // authentication or TLS demanded
	{code: 538},                                                  // encryption demanded for AUTH
	{code: 550, status: "5.7.64"},                                // TenantAttribution: connector or certificate, not the message
	{stage: stageRcpt, code: 552},                                // means 452 (RFC 5321 §4.5.3.1.10)
	{stage: stageConnect}, {stage: stageTLS}, {stage: stageAuth}, // the host, not the message
}

// permanent applies MAIL 8.2: a 5xx to MAIL, RCPT, DATA or the end of data, less the exceptions. Everything else is
// temporary (I7).
func permanent(s stage, code int, status string) bool {
	if code < 500 || code > 599 {
		return false
	}
	for _, e := range exceptions {
		if (e.stage == "" || e.stage == s) && (e.code == 0 || e.code == code) && (e.status == "" || e.status == status) {
			return false
		}
	}
	return true
}

// hear turns a reply of the next hop into an answer. A reply that says yes anywhere but to the final dot is out of
// step with what was asked: it says nothing of the message, above all not that it was taken (I7).
func hear(s stage, reply *smtp.SMTPError) answer {
	if s != stageEnd && reply.Code < 400 {
		return answer{stage: s, status: "4.5.0", text: "answer out of step: " + scrubReply(reply)}
	}
	status := statusOf(reply)
	return answer{
		stage:     s,
		code:      reply.Code,
		status:    status,
		text:      scrubReply(reply),
		permanent: permanent(s, reply.Code, status),
	}
}

// statusOf is the enhanced code, its class corrected to that of the reply (RFC 3463 §2); x.0.0 when there is none.
func statusOf(reply *smtp.SMTPError) string {
	class := reply.Code / 100
	if class != 2 && class != 5 {
		class = 4
	}
	e := reply.EnhancedCode
	if e == smtp.EnhancedCodeNotSet || e == smtp.NoEnhancedCode || e[1] < 0 || e[1] > 999 || e[2] < 0 || e[2] > 999 {
		return fmt.Sprintf("%d.0.0", class)
	}
	return fmt.Sprintf("%d.%d.%d", class, e[1], e[2])
}

// scrubReply is the reply in one line as it may be stored, logged and shown.
func scrubReply(reply *smtp.SMTPError) string {
	text := fmt.Sprintf("%d", reply.Code)
	if e := reply.EnhancedCode; e != smtp.EnhancedCodeNotSet && e != smtp.NoEnhancedCode {
		text += fmt.Sprintf(" %d.%d.%d", e[0], e[1], e[2])
	}
	return strings.ReplaceAll(mail.Scrub(text+" "+reply.Message), `\n`, " ") // Scrub must see where lines end
}

// silence is the answer that stands for a connection that broke, a reply that does not parse, or a local fault.
func silence(s stage, status string, err error) answer {
	return answer{stage: s, status: status, text: mail.Scrub(err.Error())}
}

// broken reports whether an error ends the connection: anything but a well-formed refusal, and 421. Behind a reply that
// is out of step every later one would be taken for the answer to something else.
func broken(err error) (reply *smtp.SMTPError, ends bool) {
	if errors.As(err, &reply) && reply.Code >= 200 && reply.Code <= 599 {
		return reply, reply.Code == 421 || reply.Code < 400
	}
	return nil, true
}

// remoteID finds the queue id in the answer to the final dot, for the log.
func remoteID(text string) string {
	for _, mark := range []string{"queued as ", "Queued as ", "id=", "InternalId="} {
		if _, rest, ok := strings.Cut(text, mark); ok {
			id, _, _ := strings.Cut(rest, " ")
			if id = strings.Trim(id, "[]<>(),;."); id != "" && len(id) <= 64 {
				return id
			}
		}
	}
	return ""
}
