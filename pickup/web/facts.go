package web

import (
	"net/url"
	"time"
)

// Support is the help desk as pages name it. Every field may be empty.
type Support struct{ Desk, Phone, Email, URL, Hours string }

// Any reports whether there is a way to reach it.
func (s Support) Any() bool { return s.Phone != "" || s.Email != "" || s.URL != "" || s.Desk != "" }

// Facts is what the help desk asks for (C7): nothing in it is secret.
type Facts struct {
	At        time.Time
	URL       string // without token
	Browser   string
	Email     string
	Reference string
}

// SafeURL keeps only addresses that a browser may be sent to; of others it makes "".
func SafeURL(s string) string {
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return s
}
