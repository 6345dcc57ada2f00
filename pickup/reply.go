package pickup

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/mime"
	"postern/pickup/web"
	"postern/store"
)

// replyPage is reply.html.
type replyPage struct {
	page
	ID       string
	Up       string // the message's page
	From     person // author of the message
	To       person // who gets the reply
	Me       string
	Subject  string
	Original string // subject of the message
	Sent     time.Time
	MaxFiles int
	MaxBytes int64

	Text     string
	Quote    bool
	Again    bool // signed in anew, with a text that was written before
	NoText   bool
	TextLong bool
	Problem  string // with the files: many, large, broken
	Reason   string // why the mail server did not take it
}

func (s *Site) replyForm(r *http.Request, who account.Signed, o *message.Opened) (replyPage, bool) {
	id := o.Recipient.Key.String()
	to, may := s.answerTo(o)
	limits := s.limits()
	p := replyPage{page: s.page(r, who), ID: id, Up: "/m/" + id, From: personOf(o.Author), To: personOf(to),
		Me: o.Recipient.Address.String(), Original: o.Subject, Subject: answerSubject(o.Subject), Sent: o.Message.At,
		MaxFiles: limits.Files, MaxBytes: limits.Bytes, Quote: true}
	p.Here = "inbox"
	return p, may
}

// answerSubject shows the subject that the reply will have.
func answerSubject(subject string) string {
	if len(subject) >= 3 && strings.EqualFold(subject[:3], "re:") {
		return subject
	}
	return strings.TrimSpace("Re: " + subject)
}

func (s *Site) replyPage(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	o, done, err := s.view(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	p, may := s.replyForm(r, who, o)
	if !may {
		return redirect(w, r, p.Up)
	}
	return s.show(w, r, http.StatusOK, "reply", p)
}

// reply sends an answer. The form is read once, while it arrives. Whatever becomes of it, what was written is on the
// page that comes back: a session that ended meanwhile, a message that expired, trouble of ours. Only who is signed in
// may take his time over it.
func (s *Site) reply(w http.ResponseWriter, r *http.Request) error {
	who, err := s.who(r)
	if reads(who) {
		var done func()
		if done, err = s.uploading(r.Context(), who.Person()); err == nil {
			defer done()
			w = web.Slide(w, r)
		}
	}
	u, problem := newUpload(r, s.limits())
	if u == nil {
		return problem
	}
	w = &afterUpload{w, u}
	r = r.WithContext(keeping(r.Context(), u.text))
	if err == nil {
		err = s.answer(w, r, who, u, problem)
	}
	if err != nil {
		s.failWith(w, r, err)
	}
	return nil
}

// answer sends the reply for who is signed in. problem is what was wrong with the form.
func (s *Site) answer(w http.ResponseWriter, r *http.Request, who account.Signed, u *upload, problem error) error {
	switch {
	case !reads(who) && s.byConsole(r):
		return errConsole
	case !reads(who):
		return s.answerSignedOut(w, r, u)
	}
	o, done, err := s.view(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	p, may := s.replyForm(r, who, o)
	if !may {
		return errRefused
	}
	p.Text, p.Quote = u.text, u.fields["quote"] != ""
	if problem == nil && strings.TrimSpace(u.text) == "" {
		p.NoText, p.Wrong = true, true
		return s.show(w, r, http.StatusUnprocessableEntity, "reply", p)
	}
	var receipt store.Receipt
	if problem == nil {
		receipt, problem = s.sendReply(r, who, o, u)
	}
	if problem != nil {
		return s.notSent(w, r, u, p, problem)
	}
	return redirect(w, r, "/sent/"+receipt.ID.String()+"?new=1")
}

// answerSignedOut lets somebody sign in again whose session ended while the reply was written. The text stands on the
// page and comes back with the form; nothing of it is kept here.
func (s *Site) answerSignedOut(w http.ResponseWriter, r *http.Request, u *upload) error {
	p := signInPage{page: s.page(r, account.Signed{}), Action: r.URL.Path, Hidden: map[string]string{}, Button: s.say(r, "Sign in"),
		Writing: true}
	p.Path = ""
	if quote := u.fields["quote"]; quote != "" {
		p.Hidden["quote"] = quote
	}
	if _, tried := u.fields["password"]; !tried {
		return s.show(w, r, http.StatusForbidden, "sign-in", p)
	}
	who, err := s.Accounts.SignIn(r.Context(), account.Login{Address: u.fields["email"], Password: u.fields["password"],
		Keep: s.keep(u.fields), Client: s.client(r)})
	if errors.Is(err, account.ErrSignIn) {
		return s.showSignInError(w, r, p, u.fields["email"])
	}
	if err != nil {
		return err
	}
	s.setCookies(w, who)
	o, done, err := s.view(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	form, may := s.replyForm(r, who, o)
	if !may {
		return errRefused
	}
	form.Text, form.Quote, form.Again = u.text, u.fields["quote"] != "", true
	return s.show(w, r, http.StatusOK, "reply", form)
}

func (s *Site) sendReply(r *http.Request, who account.Signed, o *message.Opened, u *upload) (store.Receipt, error) {
	text := u.text
	if u.fields["quote"] != "" {
		quoted, err := s.quotation(r, o)
		if err != nil {
			return store.Receipt{}, err
		}
		text += quoted
	}
	d := message.Draft{Text: text, Client: s.client(r)}
	if u.pending != nil {
		d.Attachments = u.next
	}
	return s.Messages.Reply(r.Context(), who, o.Recipient.Key, d)
}

// quotation is the text of the message that is answered, each line marked.
func (s *Site) quotation(r *http.Request, o *message.Opened) (string, error) {
	parts, err := partsOf(o)
	if err != nil {
		return "", err
	}
	text, err := mime.Text(o.Body, parts)
	if err != nil || text == "" {
		return "", err
	}
	const longest = 64 << 10
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "\n[…]"
	}
	var b strings.Builder
	b.WriteString("\n\n" + s.say(r, "%s wrote:", personOf(o.Author).Label()) + "\n")
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(strings.TrimRight("> "+line, " ") + "\n")
	}
	return b.String(), nil
}

// notSent shows the form again with what was wrong.
func (s *Site) notSent(w http.ResponseWriter, r *http.Request, u *upload, p replyPage, err error) error {
	status, refusal := http.StatusUnprocessableEntity, new(store.ReplyError)
	p.Wrong = true
	switch {
	case errors.Is(err, errTextLong):
		p.TextLong = true
	case errors.Is(err, errTooMany):
		p.Problem = "many"
	case errors.Is(err, errTooLarge):
		p.Problem, status = "large", http.StatusRequestEntityTooLarge
	case errors.Is(err, errBroken), errors.Is(err, io.ErrUnexpectedEOF):
		p.Problem = "broken"
	case errors.Is(err, message.ErrNoReply):
		p.Reason = s.say(r, "The sender of this message cannot get a reply from here.")
	case errors.Is(err, account.ErrNoSession):
		return s.answerSignedOut(w, r, u)
	case errors.As(err, &refusal) && !refusal.Temporary():
		p.Reason = refusal.Text
	case errors.As(err, &refusal) && refusal.Status() == "4.7.1":
		p.Reason, status = s.say(r, "You have sent many replies within a short time. Please wait an hour before you send the next."), http.StatusTooManyRequests
	case errors.As(err, &refusal):
		p.Reason, status = s.say(r, "It cannot be sent at the moment. Please try again later."), http.StatusServiceUnavailable
	default:
		return err
	}
	return s.show(w, r, status, "reply", p)
}
