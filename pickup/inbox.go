package pickup

import (
	"net/http"
	"net/url"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/web"
	"postern/store"
)

// letter is one line of a list of messages.
type letter struct {
	ID       string
	From     person
	To       string // sent list
	Subject  string
	At       time.Time
	Expires  time.Time
	DaysLeft int
	Soon     bool // expires within a week
	Files    int
	Unread   bool
	Read     time.Time
	Replied  time.Time
	Sealed   bool // the account has no key to it
	Failed   bool // a reply that was not delivered
	Damaged  bool
}

// soon is from when on a list warns of the expiry.
const soon = 7 * 24 * time.Hour

// inboxPage is inbox.html.
type inboxPage struct {
	page
	Letters []letter
	Waiting []letter
	// Provisional: the account has not shown yet that the address is its own, so new messages open by their links only
	// (KEYS K8).
	Provisional bool
	Done        string // password, earlier: what led here
	Earlier     bool   // some wait because they were sealed for an earlier password
	Search      string
	Newer       string // address of the first page, on later ones
	Older       string // address of the next page
}

func (s *Site) inbox(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	const longest = 200
	q := r.URL.Query()
	cursor, search := q.Get("after"), web.OneLine(q.Get("q"), longest)
	list, err := s.Messages.Inbox(r.Context(), who, message.InboxQuery{Cursor: store.Cursor(cursor), Search: search})
	if err != nil {
		return err
	}
	p := inboxPage{page: s.page(r, who), Search: search, Provisional: who.Account.Standing == store.Provisional}
	p.Here = "inbox"
	if done := q.Get("done"); done == passwordMark || done == "earlier" {
		p.Done = done
	}
	for _, i := range list.Items {
		l := s.letter(i.Key.String(), i.At, i.Expires)
		l.From, l.Subject, l.Files, l.Damaged = personOf(i.Author), i.Subject, i.Attachments, i.Damaged
		l.Unread, l.Read, l.Replied = i.Unread(), i.Opened, i.Replied
		if l.Unread {
			p.Unread++
		}
		p.Letters = append(p.Letters, l)
	}
	for _, i := range list.Waiting {
		l := s.letter(i.Key.String(), i.At, i.Expires)
		l.From = person{Address: i.Sender.String()}
		p.Earlier = p.Earlier || i.Locked
		p.Waiting = append(p.Waiting, l)
	}
	p.Newer, p.Older = pager("/", search, cursor, string(list.Next))
	return s.show(w, r, http.StatusOK, "inbox", p)
}

func (s *Site) letter(id string, at, expires time.Time) letter {
	now := s.Now()
	return letter{ID: id, At: at, Expires: expires, DaysLeft: daysUntil(now, expires),
		Soon: !expires.IsZero() && expires.Sub(now) < soon}
}

// pager is where the links below a list lead.
func pager(path, search, here, next string) (newer, older string) {
	at := func(cursor string) string {
		v := url.Values{}
		if search != "" {
			v.Set("q", search)
		}
		if cursor != "" {
			v.Set("after", cursor)
		}
		if len(v) == 0 {
			return path
		}
		return path + "?" + v.Encode()
	}
	if here != "" {
		newer = at("")
	}
	if next != "" {
		older = at(next)
	}
	return newer, older
}
