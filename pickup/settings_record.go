package pickup

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"postern/pickup/account"
	"postern/store"
)

// recordPage is settings-record.html: all that happened in an account.
type recordPage struct {
	page
	Events []noted
	Newer  string
	Older  string
}

// noted is one line of the record, in the words of _record.html.
type noted struct {
	At      time.Time
	What    store.What
	By      string // the way in which it was done
	Desk    bool   // done by the people who run the site
	Browser string
	Other   string    // the browser that was signed out
	Address string    // the alias that it is about
	Count   int       // how many were signed out
	Item    string    // path of the message that it is about; empty: none, or no longer
	Sent    time.Time // when that message came
}

const recordSize = 50

func (s *Site) record(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	cursor := r.URL.Query().Get("after")
	events, next, err := s.Accounts.Record(r.Context(), who, store.Cursor(cursor), recordSize)
	if errors.Is(err, store.ErrCursor) {
		return errMissing
	}
	if err != nil {
		return err
	}
	p := recordPage{page: s.page(r, who), Events: eventsOf(events)}
	p.Here = "settings"
	p.Newer, p.Older = pager("/settings/record", "", cursor, string(next))
	return s.show(w, r, http.StatusOK, "settings-record", p)
}

func eventsOf(list []store.Event) []noted {
	var out []noted
	for _, e := range list {
		x := noted{At: e.At(), What: e.What, By: e.Facts["by"], Desk: e.Actor != "recipient" && e.Actor != "system" && e.Actor != "sender",
			Browser: e.Facts["browser"], Other: e.Facts["ended"], Address: e.Facts["address"]}
		x.Count, _ = strconv.Atoi(e.Facts["count"])
		if x.What == store.EventSignInFail {
			x.By = e.Facts["at"]
		}
		if !e.Message.IsZero() {
			x.Sent = e.Message.Time()
			if e.N > 0 {
				x.Item = "/m/" + store.RcptKey{Message: e.Message, N: e.N}.String()
			}
		}
		out = append(out, x)
	}
	return out
}
