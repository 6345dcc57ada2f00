package pickup

import (
	"errors"
	"html/template"
	"net/http"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/mime"
	"postern/pickup/web"
	"postern/store"
)

// sentPage is sent.html.
type sentPage struct {
	page
	Letters []letter
	Newer   string
	Older   string
}

func (s *Site) sent(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	cursor := r.URL.Query().Get("after")
	list, err := s.Messages.Sent(r.Context(), who, store.Cursor(cursor))
	if err != nil {
		return err
	}
	p := sentPage{page: s.page(r, who)}
	p.Here = "sent"
	for _, i := range list.Items {
		l := letter{ID: i.ID.String(), Subject: i.Subject, At: i.At, Files: i.Attachments, Sealed: i.Sealed, Damaged: i.Damaged,
			Failed: notDelivered(i.Recipients)}
		if len(i.To) > 0 {
			l.To = personOf(i.To[0]).Label()
		}
		p.Letters = append(p.Letters, l)
	}
	p.Newer, p.Older = pager("/sent", "", cursor, string(list.Next))
	return s.show(w, r, http.StatusOK, "sent", p)
}

// notDelivered reports whether somebody did not get a reply (MAIL §7).
func notDelivered(list []store.Recipient) bool {
	for _, r := range list {
		switch r.State {
		case store.StateFailed, store.StateBounced, store.StateRefused:
			return true
		}
	}
	return false
}

// sentMessagePage is sent-message.html.
type sentMessagePage struct {
	letterView
	Text template.HTML
	Now  bool // it was sent a moment ago
	// Answered is the address of the message that it answers.
	Answered string
	Failed   bool
}

// viewSent opens the copy of a reply. done: an answer was written instead.
func (s *Site) viewSent(w http.ResponseWriter, r *http.Request, who account.Signed) (o *message.Opened, done bool, err error) {
	id, err := store.ParseMessageID(r.PathValue("id"))
	if err != nil {
		return nil, true, errMissing
	}
	web.Note(r.Context(), "msg", id.String())
	o, err = s.Messages.SentView(r.Context(), who, id)
	if errors.Is(err, message.ErrNotFound) {
		return nil, true, errMissing
	}
	if err != nil {
		return nil, true, s.notViewed(w, r, who, store.RcptKey{Message: id}, err)
	}
	return o, false, nil
}

func (s *Site) sentMessage(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	o, done, err := s.viewSent(w, r, who)
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
	id := o.Message.ID.String()
	p := sentMessagePage{letterView: s.letterOf(r, who, o, "/sent/"+id), Text: linked(text), Failed: notDelivered(o.Recipients),
		Now: r.URL.Query().Get("new") != ""}
	p.ID, p.Here, p.Expires, p.From = id, "sent", o.Message.Expires, writer(o, p.Me)
	p.Answered = "/m/" + o.Message.Parent.String()
	if err := p.fill(o, parts); err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "sent-message", p)
}

// writer is who wrote a reply: the From of the letter is the site's, answers go to the writer (MAIL §6).
func writer(o *message.Opened, me string) person {
	if len(o.Card.ReplyTo) == 1 {
		return personOf(o.Card.ReplyTo[0])
	}
	return person{Address: me}
}

func (s *Site) sentPrint(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	o, done, err := s.viewSent(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	v := s.letterOf(r, who, o, "/sent/"+o.Message.ID.String())
	v.From = writer(o, v.Me)
	return s.showPrint(w, r, o, v)
}

func (s *Site) sentPart(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	o, done, err := s.viewSent(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	return servePart(w, r, o)
}

func (s *Site) sentRaw(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	o, done, err := s.viewSent(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	return serveRaw(w, r, o)
}
