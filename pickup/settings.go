package pickup

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
)

// settingsPage is settings.html: what a person can see and do with the own account.
type settingsPage struct {
	page
	Done        string // what was done a moment ago, by the word of doneWords
	Provisional bool
	Changed     time.Time // when the password was chosen; zero: not known
	Reminder    bool      // there is a reminder phrase
	Aliases     []alias
	MailLang    string // language of mails, where it is one that the site has
	Sessions    []session
	Events      []noted
	Older       bool // the record goes on
}

// session is a browser that is signed in.
type session struct {
	ID      string
	Browser string
	Since   time.Time
	Used    time.Time
	Kept    bool
	Here    bool // the browser that asks
}

// shownEvents are those on the settings page itself; the record's own page has all.
const shownEvents = 5

// doneWords are what the page may say of the form that led to it.
func doneWords() []string {
	return []string{"password", "reminder", "language", "session", "others", "alias", "alias-added", "alias-removed"}
}

func (s *Site) settings(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	p := settingsPage{page: s.page(r, who), Provisional: who.Account.Standing == store.Provisional, Reminder: len(who.Account.Reminder) > 0,
		MailLang: who.Account.Language}
	p.Here = "settings"
	if done := r.URL.Query().Get("done"); slices.Contains(doneWords(), done) {
		p.Done = done
	}
	if key, ok := who.Account.Current(); ok {
		p.Changed = key.Made
	}
	if !s.Catalogue.Has(p.MailLang) {
		p.MailLang = p.Lang.Tag
	}
	aliases, err := s.Accounts.Aliases(r.Context(), who)
	if err != nil {
		return err
	}
	p.Aliases = aliasesOf(aliases)
	all, err := s.Accounts.Sessions(r.Context(), who)
	if err != nil {
		return err
	}
	p.Sessions = sessionsOf(all, who.Session.ID)
	events, next, err := s.Accounts.Record(r.Context(), who, "", shownEvents)
	if err != nil {
		return err
	}
	p.Events, p.Older = eventsOf(events), next != ""
	return s.show(w, r, http.StatusOK, "settings", p)
}

// sessionsOf lists the sessions of people, this one first, then the one used last.
func sessionsOf(all []store.Session, here store.SessionID) []session {
	slices.SortFunc(all, func(a, b store.Session) int {
		switch {
		case a.ID == here:
			return -1
		case b.ID == here:
			return 1
		}
		return b.Seen.Compare(a.Seen)
	})
	var list []session
	for _, ses := range all {
		if ses.Kind != store.SessionConsole {
			list = append(list, session{ID: ses.ID.String(), Browser: ses.Browser, Since: ses.Created, Used: ses.Seen, Kept: ses.Kept, Here: ses.ID == here})
		}
	}
	return list
}

// set takes the forms of the settings page itself: the language, and sessions to end.
func (s *Site) set(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	f, err := form(r, "do", "lang", "session")
	if err != nil {
		return err
	}
	switch f["do"] {
	case "language":
		if !s.Catalogue.Has(f["lang"]) {
			return errInvalid
		}
		err = s.Accounts.SetLanguage(r.Context(), who, f["lang"])
		if err == nil {
			s.cookies.Set(w, s.cookies.Lang(), f["lang"], web.KnownFor)
		}
	case "session":
		var id store.SessionID
		if id.UnmarshalText([]byte(f["session"])) != nil {
			return errInvalid
		}
		err = s.ending(r, who, func() error { return s.Accounts.EndSession(r.Context(), who, id) })
	case "others":
		err = s.ending(r, who, func() error { return s.Accounts.EndOthers(r.Context(), who) })
	default:
		return errInvalid
	}
	return s.isSet(w, r, f["do"], err)
}

// ending does what may end sessions of a person, and forgets what was opened in those that it ended.
func (s *Site) ending(r *http.Request, who account.Signed, f func() error) error {
	before, err := s.Accounts.Sessions(r.Context(), who)
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	after, err := s.Accounts.Sessions(r.Context(), who)
	if err != nil {
		return err
	}
	for _, ses := range before {
		if !slices.ContainsFunc(after, func(x store.Session) bool { return x.ID == ses.ID }) {
			s.Messages.Forget(ses.ID)
		}
	}
	return nil
}

// isSet leads back to the settings page, which says what was done. A session that ended meanwhile leads to the sign-in
// page, and back to the form.
func (s *Site) isSet(w http.ResponseWriter, r *http.Request, done string, err error) error {
	switch {
	case errors.Is(err, account.ErrNoSession):
		return redirect(w, r, signInFor(r))
	case err != nil:
		return err
	}
	return redirect(w, r, "/settings?"+url.Values{"done": {done}}.Encode())
}
