package pickup

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/web"
	"postern/store/seal"
)

// flowLife is how long a browser keeps the cookie of a code that was mailed to it: a little longer than the code, so
// that the page can say that its time is over.
const flowLife = time.Hour

// codePage is code.html: where a mailed code is typed.
type codePage struct {
	page
	Link    string
	To      string
	Waiting bool // a code can be typed
	Mark    string
	Ends    time.Time
	Digits  int
	Empty   bool      // nothing was typed
	Left    int       // tries, after a miss
	Over    bool      // the code that was there can no longer be used
	Until   time.Time // no more codes are mailed before; zero: they are
}

func (s *Site) codeForm(r *http.Request, l link) codePage {
	p := codePage{page: s.page(r, account.Signed{}), Link: l.path, To: l.cover.To.String(), Digits: account.CodeDigits}
	p.Path = l.path
	return p
}

// flow is the value of the cookie of a code that was mailed.
func (s *Site) flow(r *http.Request) string { return s.cookies.Get(r, s.cookies.Flow()) }

// codeStep is the page on which a code that was mailed is typed. A browser without one is at the cover again.
func (s *Site) codeStep(w http.ResponseWriter, r *http.Request, l link) error {
	if r.URL.Query().Get(check) == checkMark && s.flow(r) == "" {
		return s.showCookies(w, r, "")
	}
	waiting, err := s.Accounts.Code(r.Context(), l.secret, s.flow(r))
	p := s.codeForm(r, l)
	switch {
	case errors.Is(err, account.ErrCodeOver) && s.flow(r) == "":
		return redirect(w, r, l.path)
	case errors.Is(err, account.ErrCodeOver):
		p.Over = true
	case err != nil:
		return s.noCode(w, r, l, err)
	default:
		p.Waiting, p.Mark, p.Ends = true, waiting.Mark, waiting.Ends
	}
	return s.show(w, r, http.StatusOK, "code", p)
}

// codeAt sends a code, or opens a session by one that was typed, on the page of a link. done: an answer was written.
func (s *Site) codeAt(w http.ResponseWriter, r *http.Request, l link, f map[string]string) (account.Signed, bool, error) {
	if f["step"] == "code" {
		return s.typedCode(w, r, l, f["code"])
	}
	waiting, err := s.Accounts.SendCode(r.Context(), account.CodeRequest{Secret: l.secret, Author: l.cover.Author, Flow: s.flow(r),
		Language: web.Lang(r.Context()), Client: s.client(r)})
	if err != nil {
		return account.Signed{}, true, s.noCode(w, r, l, err)
	}
	s.cookies.Set(w, s.cookies.Flow(), waiting.Flow, flowLife)
	return account.Signed{}, true, redirect(w, r, l.path+"?"+url.Values{"step": {"code"}, check: {checkMark}}.Encode())
}

// typedCode tries what was typed.
func (s *Site) typedCode(w http.ResponseWriter, r *http.Request, l link, code string) (account.Signed, bool, error) {
	var who account.Signed
	var err error
	empty := strings.TrimSpace(code) == ""
	if !empty {
		who, err = s.Accounts.OpenByCode(r.Context(), account.TypedCode{Secret: l.secret, Flow: s.flow(r), Code: code, Client: s.client(r)})
	}
	wrong := new(account.WrongCodeError)
	switch {
	case err == nil && !empty:
		s.cookies.Clear(w, s.cookies.Flow())
		return who, false, nil
	case err != nil && !errors.As(err, &wrong):
		return who, true, s.noCode(w, r, l, err)
	}
	p := s.codeForm(r, l)
	p.Empty, p.Left, p.Wrong = empty, wrong.Left, true
	waiting, err := s.Accounts.Code(r.Context(), l.secret, s.flow(r))
	if err != nil {
		return who, true, s.noCode(w, r, l, err)
	}
	p.Waiting, p.Mark, p.Ends = true, waiting.Mark, waiting.Ends
	return who, true, s.show(w, r, http.StatusUnprocessableEntity, "code", p)
}

// noCode answers where no code is sent or taken.
func (s *Site) noCode(w http.ResponseWriter, r *http.Request, l link, err error) error {
	limit := new(account.CodeLimitError)
	switch {
	case errors.Is(err, account.ErrCodeOver):
		p := s.codeForm(r, l)
		p.Over, p.Wrong = true, true
		return s.show(w, r, http.StatusForbidden, "code", p)
	case errors.As(err, &limit):
		return s.enoughCodes(w, r, l, limit.Until)
	case errors.Is(err, account.ErrHasAccount): // made meanwhile
		return s.show(w, r, http.StatusConflict, "sign-in", s.linkSignIn(r, l))
	case errors.Is(err, account.ErrSignIn): // disabled meanwhile (KEYS K9)
		return s.showSignInError(w, r, s.linkSignIn(r, l), l.cover.To.String())
	case errors.Is(err, account.ErrUnknownLink):
		return s.badLink(w, r, err)
	case errors.Is(err, account.ErrLinkOver):
		return s.overMeanwhile(w, r, l)
	}
	return err
}

// enoughCodes says until when no more are mailed. The last one may still be typed.
func (s *Site) enoughCodes(w http.ResponseWriter, r *http.Request, l link, until time.Time) error {
	p := s.codeForm(r, l)
	p.Until = until
	if waiting, err := s.Accounts.Code(r.Context(), l.secret, s.flow(r)); err == nil {
		p.Waiting, p.Mark, p.Ends = true, waiting.Mark, waiting.Ends
	}
	seconds := int(until.Sub(s.Now())/time.Second) + 1
	w.Header().Set("Retry-After", strconv.Itoa(max(1, seconds)))
	return s.show(w, r, http.StatusTooManyRequests, "code", p)
}

// sendFirst mails another temporary password. done: an answer was written.
func (s *Site) sendFirst(w http.ResponseWriter, r *http.Request, l link) error {
	err := s.Accounts.SendFirst(r.Context(), account.FirstRequest{Secret: l.secret, Author: l.cover.Author, Language: web.Lang(r.Context()),
		Client: s.client(r)})
	limit := new(account.CodeLimitError)
	if errors.As(err, &limit) {
		p := s.firstSignIn(r, l)
		p.Until = limit.Until
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(limit.Until.Sub(s.Now())/time.Second)+1)))
		return s.show(w, r, http.StatusTooManyRequests, "sign-in", p)
	}
	if err != nil {
		return s.noCode(w, r, l, err)
	}
	return redirect(w, r, l.path+"?step=sign-in&sent=1")
}

// firstSignIn is the form on the page of a link that takes a temporary password.
func (s *Site) firstSignIn(r *http.Request, l link) signInPage {
	p := s.linkSignIn(r, l)
	p.First, p.Button = true, s.say(r, "Continue")
	p.Sent = r.Method == http.MethodGet && r.URL.Query().Get("sent") != ""
	return p
}

// intoMessage leads somebody who has chosen the first password of an address into the message whose link the session
// carried (C13). What cannot be opened any more leads to the inbox, which says so; what could not be opened now to the
// link's own page: the choice counts, the temporary password is used up, and there the signed-in person opens it again.
func (s *Site) intoMessage(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	secret := who.Links[len(who.Links)-1]
	key, err := s.Messages.OpenLink(r.Context(), secret, who)
	switch {
	case errors.Is(err, message.ErrEnded), errors.Is(err, message.ErrUnknownLink), errors.Is(err, message.ErrNotYours):
		return s.enter(w, r, who, "/", checkMark)
	case err != nil:
		s.Log.ErrorContext(r.Context(), "first message not opened", "event", "http", "ref", web.Reference(r.Context()), "error", err)
		s.setCookies(w, who)
		return redirect(w, r, "/p/"+secret.Token(seal.TokenPickup))
	}
	return s.enter(w, r, who, "/m/"+key.String(), checkMark)
}

// visitPage is visit.html: what somebody who reads with a code can open until the session ends.
type visitPage struct {
	page
	Letters []letter
}

// home is the inbox, or what a visit has instead of one.
func (s *Site) home(w http.ResponseWriter, r *http.Request) error {
	who, err := s.who(r)
	if err != nil {
		return err
	}
	if !who.IsVisit() {
		s.signed(s.inbox)(w, r)
		return nil
	}
	items, err := s.Messages.Carried(r.Context(), who)
	if err != nil {
		return err
	}
	p := visitPage{page: s.page(r, who)}
	p.Here = "inbox"
	for _, i := range items {
		l := s.letter(i.Key.String(), i.At, i.Expires)
		l.From, l.Subject, l.Files, l.Damaged = personOf(i.Author), i.Subject, i.Attachments, i.Damaged
		l.Unread, l.Read, l.Replied = i.Unread(), i.Opened, i.Replied
		p.Letters = append(p.Letters, l)
	}
	return s.show(w, r, http.StatusOK, "visit", p)
}
