package web

import (
	"net/http"
	"time"
)

// Cookies names and writes the cookies of one site by KEYS K10: over https they are Secure, bound to the host by the
// __Host- prefix; over http, which works on loopback only, they have neither.
type Cookies struct {
	HTTPS bool
	Name  string // "postern" or "postern-console"
}

// Session is the name of the session's cookie.
func (c Cookies) Session() string { return c.name("") }

// KnownFor is how long a browser is remembered after its last sign-in (KEYS K13), and the language that was chosen in it.
const KnownFor = 365 * 24 * time.Hour

// Known is the name of the cookie by which a browser is recognised at the next sign-in (KEYS K13).
func (c Cookies) Known() string { return c.name("-known") }

// Flow is the name of the cookie by which a browser that asked for a code is known again (KEYS K2).
func (c Cookies) Flow() string { return c.name("-flow") }

// Lang is the name of the cookie with the chosen language.
func (c Cookies) Lang() string { return c.name("-lang") }

func (c Cookies) name(suffix string) string {
	if c.HTTPS {
		return "__Host-" + c.Name + suffix
	}
	return c.Name + suffix
}

// Set writes a cookie. A life of zero makes one that ends with the browser.
func (c Cookies) Set(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: c.HTTPS, SameSite: http.SameSiteLaxMode})
}

// Clear ends a cookie.
func (c Cookies) Clear(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, HttpOnly: true, Secure: c.HTTPS,
		SameSite: http.SameSiteLaxMode})
}

// Get reads a cookie; empty when there is none. Where a browser sends a name twice, which one site alone cannot cause
// with __Host-, the first counts.
func (c Cookies) Get(r *http.Request, name string) string {
	if cookie, err := r.Cookie(name); err == nil {
		return cookie.Value
	}
	return ""
}
