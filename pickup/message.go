package pickup

import (
	"errors"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/mime"
	"postern/pickup/web"
	"postern/store"
	"postern/store/mail"
)

// item reads the id of a message from the path. It also notes it for the log: ids are no secrets.
func item(r *http.Request) (store.RcptKey, error) {
	key, err := store.ParseRcptKey(r.PathValue("id"))
	if err != nil {
		return key, errMissing
	}
	web.Note(r.Context(), "msg", key.String())
	return key, nil
}

// view opens a message of the path for who is signed in. done: an answer was written instead.
func (s *Site) view(w http.ResponseWriter, r *http.Request, who account.Signed) (o *message.Opened, done bool, err error) {
	key, err := item(r)
	if err != nil {
		return nil, true, err
	}
	o, err = s.Messages.View(r.Context(), who, key)
	if err != nil {
		return nil, true, s.notViewed(w, r, who, key, err)
	}
	return o, false, nil
}

// openPage is open.html: the button that stands before a message that nobody has opened (I4, KEYS K15).
type openPage struct {
	page
	ID string
}

// notViewed shows why a message cannot be shown. A message of another account and one that never was look the same.
func (s *Site) notViewed(w http.ResponseWriter, r *http.Request, who account.Signed, key store.RcptKey, err error) error {
	ended := new(message.EndedError)
	switch {
	case errors.Is(err, message.ErrNotOpened):
		return s.show(w, r, http.StatusOK, "open", openPage{page: s.page(r, who), ID: key.String()})
	case errors.Is(err, message.ErrNotFound), errors.Is(err, message.ErrNotYours):
		return s.showRefused(w, r, who, refusedPage{})
	case errors.Is(err, message.ErrNeedsLink):
		p := linkPage{page: s.page(r, who), Fault: "needed", Whole: tokenLength, Earlier: account.AnyLocked(who.Account)}
		return s.show(w, r, http.StatusForbidden, "link", p)
	case errors.As(err, &ended):
		return s.showEnd(w, r, endedPage{page: s.page(r, who), How: string(ended.State), At: ended.At})
	case errors.Is(err, account.ErrNoSession):
		return redirect(w, r, signInFor(r))
	}
	return err
}

// letterView is what the pages of one message share: view, print, copy of a reply.
type letterView struct {
	page
	ID        string
	Up        string // address of the message's own page
	Subject   string
	From      person
	To, Cc    people
	Me        string // address that it was sent to, or written from
	Blind     bool
	Sent      time.Time
	Expires   time.Time
	Files     []file
	FileSize  int64
	Encrypted string // by its author, in which way
	Wrapped   bool   // in a signature that only a mail program opens
	TNEF      bool
	Event     *event
	Long      bool // more than a page shows
}

// letterOf fills what is the same for every page of an opened message. base is the address under which its parts are.
func (s *Site) letterOf(r *http.Request, who account.Signed, o *message.Opened, base string) letterView {
	v := letterView{page: s.page(r, who), Up: base, Subject: o.Subject, From: personOf(o.Author),
		Sent: o.Message.At, Expires: o.Recipient.Expires, Blind: o.Recipient.Blind}
	v.Me = who.Account.Address.String()
	if !o.Recipient.Address.IsZero() {
		v.Me = o.Recipient.Address.String()
	}
	return v
}

// fill reads from the message what its head and its margin say.
func (v *letterView) fill(o *message.Opened, parts []mail.Part) (err error) {
	if v.To, v.Cc, err = recipients(o); err != nil {
		return err
	}
	for _, p := range mime.Attachments(parts) {
		f := fileOf(p, v.Up)
		v.Files, v.FileSize = append(v.Files, f), v.FileSize+f.Size
	}
	v.Encrypted, v.Wrapped = string(mime.Encrypted(o.Body, parts)), mime.SignedOpaque(o.Body, parts)
	_, v.TNEF = mime.Winmail(parts)
	v.Long = mime.TextCut(parts) || mime.HTMLTooLong(parts)
	v.Event, err = eventOf(o, parts)
	return err
}

// messagePage is message.html.
type messagePage struct {
	letterView
	MayReply bool
	NoReply  bool   // the sender wants none
	HTML     bool   // the author wrote HTML
	AsText   bool   // the reader wants the text
	Height   string // of the frame
	Text     template.HTML
}

func (s *Site) message(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	return s.showMessage(w, r, who, false)
}

func (s *Site) messageText(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	return s.showMessage(w, r, who, true)
}

func (s *Site) showMessage(w http.ResponseWriter, r *http.Request, who account.Signed, asText bool) error {
	o, done, err := s.view(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	parts, err := partsOf(o)
	if err != nil {
		return err
	}
	text, err := mime.Text(o.Body, parts)
	if err != nil {
		return err
	}
	id := o.Recipient.Key.String()
	p := messagePage{letterView: s.letterOf(r, who, o, "/m/"+id), AsText: asText, Text: linked(text), HTML: mime.HasHTML(parts)}
	p.ID, p.Here = id, "inbox"
	if err := p.fill(o, parts); err != nil {
		return err
	}
	_, p.MayReply = s.answerTo(o)
	p.NoReply = o.Recipient.NoReply
	p.Height = height(text)
	return s.show(w, r, http.StatusOK, "message", p)
}

// height picks the frame's height from the lines that the text fills on a wide page.
func height(text string) string {
	const wide, short, medium, long = 70, 12, 24, 34
	lines := 0
	for line := range strings.SplitSeq(text, "\n") {
		lines += 1 + len(line)/wide
	}
	switch {
	case lines > long:
		return "tall"
	case lines > medium:
		return "long"
	case lines > short:
		return "medium"
	}
	return "short"
}

// answerTo is who gets a reply, by the rule of message.Reply: the one Reply-To of the organisation, else the author.
// false: a reply is not possible.
func (s *Site) answerTo(o *message.Opened) (mail.Mailbox, bool) {
	to := o.Author
	if len(o.Card.ReplyTo) == 1 && s.Internal(o.Card.ReplyTo[0].Address.Domain) {
		to = o.Card.ReplyTo[0]
	}
	return to, s.Internal(to.Address.Domain) && !o.Recipient.NoReply
}

// partsOf is the index of a message, made anew where the card had no room for all of it.
func partsOf(o *message.Opened) ([]mail.Part, error) {
	if !o.Card.Truncated {
		return o.Card.Parts, nil
	}
	x := mail.NewIndexer()
	if _, err := io.Copy(x, o.Body.Reader()); err != nil {
		return nil, err
	}
	x.Close()
	return x.Parts(), nil
}

func (s *Site) open(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	key, err := item(r)
	if err != nil {
		return err
	}
	if err := s.Messages.Open(r.Context(), who, key); err != nil {
		return s.notViewed(w, r, who, key, err)
	}
	return redirect(w, r, "/m/"+key.String())
}

// mailDocument is the block "document" of mail.html: the author's HTML on a page of its own.
type mailDocument struct {
	Lang    web.Language
	Subject string
	Style   template.HTML // the author's style sheet
	HTML    template.HTML
}

// messageHTML is the document in the frame of a message: sandboxed, without anything that its author could do harm
// with (ARCHITECTURE 1.11). Where it cannot be shown the frame says so; it never holds a page of the site.
func (s *Site) messageHTML(w http.ResponseWriter, r *http.Request) error {
	who, err := s.who(r)
	if err != nil {
		return err
	}
	if !reads(who) {
		if s.byConsole(r) {
			return errConsole
		}
		return s.frameGone(w, r)
	}
	key, err := item(r)
	if err != nil {
		return err
	}
	done, err := s.gate.person(r.Context(), who.Person())
	if err != nil {
		return err
	}
	defer done()
	o, err := s.Messages.View(r.Context(), who, key)
	if errors.Is(err, message.ErrNotFound) || errors.Is(err, message.ErrNotOpened) || errors.Is(err, message.ErrEnded) || errors.Is(err, message.ErrNeedsLink) {
		return s.frameGone(w, r)
	}
	if err != nil {
		return err
	}
	defer o.Close()
	html, err := s.authored(r, o)
	if err != nil {
		return err
	}
	d := mailDocument{Lang: s.Catalogue.Language(web.Lang(r.Context())), Subject: o.Subject}
	d.Style, d.HTML = apart(html)
	return s.sendDocument(w, r, http.StatusOK, "document", d)
}

// authored is the cleaned HTML of a message; errMissing when it has none.
func (s *Site) authored(r *http.Request, o *message.Opened) (string, error) {
	parts, err := partsOf(o)
	if err != nil {
		return "", err
	}
	html, found, err := s.cleaned(r, o, parts)
	if err != nil {
		return "", err
	}
	if !found {
		return "", errMissing
	}
	return html, nil
}

// apart takes the style sheet, which package mime puts first, from cleaned HTML: it belongs into the head of a page.
// What package mime cleaned may stand on a page, which is sandboxed beyond that.
func apart(html string) (style, body template.HTML) {
	if sheet, rest, found := strings.Cut(html, "</style>"); found && strings.HasPrefix(sheet, "<style>") {
		return template.HTML(sheet + "</style>"), template.HTML(rest)
	}
	return "", template.HTML(html)
}

// cleaned is mime.HTML, when it is its turn.
func (s *Site) cleaned(r *http.Request, o *message.Opened, parts []mail.Part) (html string, found bool, err error) {
	err = s.gate.build(r.Context(), func() (err error) {
		html, found, err = mime.HTML(o.Body, parts)
		return err
	})
	return html, found, err
}

func (s *Site) frameGone(w http.ResponseWriter, r *http.Request) error {
	return s.sendDocument(w, r, http.StatusForbidden, "gone", mailDocument{Lang: s.Catalogue.Language(web.Lang(r.Context()))})
}

func (s *Site) sendDocument(w http.ResponseWriter, r *http.Request, status int, block string, d mailDocument) error {
	body, err := s.pages.Part(d.Lang.Tag, "mail", block, d)
	if err != nil {
		return err
	}
	web.MailPolicy().Set(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader(string(body))}) // in pieces: it may hold pictures
	}
	return nil
}

// printPage is print.html. Author's HTML and our head are one document, which is sandboxed as a whole, so that the
// browser prints all of it.
type printPage struct {
	letterView
	Style template.HTML // the author's style sheet
	HTML  template.HTML
	Text  template.HTML
	Now   time.Time
}

func (s *Site) messagePrint(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	leave, err := s.gate.person(r.Context(), who.Person())
	if err != nil {
		return err
	}
	defer leave()
	o, done, err := s.view(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	return s.showPrint(w, r, o, s.letterOf(r, who, o, "/m/"+o.Recipient.Key.String()))
}

func (s *Site) showPrint(w http.ResponseWriter, r *http.Request, o *message.Opened, v letterView) error {
	parts, err := partsOf(o)
	if err != nil {
		return err
	}
	p := printPage{letterView: v, Now: s.Now()}
	p.Paper, p.Path = true, ""
	if err := p.fill(o, parts); err != nil {
		return err
	}
	html, found, err := s.cleaned(r, o, parts)
	if err != nil {
		return err
	}
	if found {
		p.Style, p.HTML = apart(html)
		p.Style = scoped(p.Style)
	} else {
		text, err := mime.Text(o.Body, parts)
		if err != nil {
			return err
		}
		p.Text = linked(text)
	}
	web.PrintPolicy().Set(w.Header())
	return s.show(w, r, http.StatusOK, "print", p)
}

// scoped keeps the author's style sheet to the author's part of the page. A browser that does not know @scope leaves
// the style out; the style element is the cleaner's own, so replacing its tags is safe.
func scoped(style template.HTML) template.HTML {
	return template.HTML(strings.NewReplacer("<style>", "<style>@scope (.authored) {", "</style>", "}</style>").Replace(string(style)))
}
