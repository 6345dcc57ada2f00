package pickup_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestA08HelpNamesHowMessagesAreEncrypted: the answer on who can read a message names the ciphers, and measures them
// against what recipients were promised before.
func TestA08HelpNamesHowMessagesAreEncrypted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wants(t, "help", w.visitor().get("/help"), http.StatusOK, "encrypted with ChaCha20-Poly1305 in the age format",
		"stronger than 168-bit triple DES", "ML-KEM-768 and X25519", "only your password opens that")
}

// TestB16CookiesAreNecessaryOnly: nothing is set before somebody signs in or chooses a language; what is set then is
// named on the cookies page, goes to this site only, and no script can read it.
func TestB16CookiesAreNecessaryOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret, _ := w.account(joan)
	v := w.visitor()
	for _, path := range []string{"/", "/sign-in", "/help", "/cookies", "/reminder", "/change-password", linkOf(secret), "/p/"} {
		if set := v.get(path).header.Values("Set-Cookie"); len(set) > 0 {
			t.Errorf("%s sets %q for somebody who only looks", path, set)
		}
	}
	page := v.get("/cookies").body
	var set []string
	for _, a := range []answer{v.post("/language", "lang", "en", "to", "/help"), v.post(linkOf(secret), "step", "sign-in", "password", password)} {
		set = append(set, a.header.Values("Set-Cookie")...)
	}
	var names []string
	for _, c := range set {
		name, _, _ := strings.Cut(c, "=")
		names = append(names, name)
		if strings.Contains(strings.ToLower(c), "domain=") || !strings.Contains(c, "; HttpOnly") || !strings.Contains(c, "; SameSite=Lax") {
			t.Errorf("cookie %s", c)
		}
		if !strings.Contains(page, "<code>"+name+"</code>") {
			t.Errorf("the cookies page does not name %s", name)
		}
	}
	slices.Sort(names)
	if want := []string{"postern", "postern-known", "postern-lang"}; !slices.Equal(names, want) {
		t.Errorf("cookies %q, want %q", names, want)
	}
}

// TestC06SupportedBrowsers: the sign-in error leads to the list of browsers.
func TestC06SupportedBrowsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	wants(t, "the error", v.post("/sign-in", "email", joan.String(), "password", "wrong"), http.StatusForbidden, `<a href="/help#browsers">`)
	wants(t, "help", v.get("/help"), http.StatusOK, `id="browsers"`, "Mozilla Firefox", "Google Chrome", "Microsoft Edge", "Safari")
}

// TestC08WhatToDoByWhoOneIs: a recipient follows the link, looks at the browser and then asks the sender, in that order;
// somebody of the organisation asks the administrator. The error page and the help say the same.
func TestC08WhatToDoByWhoOneIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	inOrder(t, v.post("/sign-in", "email", joan.String(), "password", "wrong").body, "If you still cannot sign in", "Follow the link in the notification mail",
		"supported browsers", "Contact the person who sent you the message", "You work for", "Ask your administrator")
	inOrder(t, v.get("/help").body, `id="signing"`, "follow the link in the notification mail", "supported browser", "contact the person who sent you the message",
		"You work for", "ask your administrator")
}

// inOrder wants the texts to follow one another.
func inOrder(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, after, found := strings.Cut(body, text)
		if !found {
			t.Errorf("%q does not follow", text)
			return
		}
		body = after
	}
}
