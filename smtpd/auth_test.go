package smtpd

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"net/netip"

	"postern/store"
)

func plain(parts ...string) string {
	return "AUTH PLAIN " + b64(strings.Join(parts, "\x00"))
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// withUsers makes a Server whose one user is anna with a password; strangers otherwise.
func withUsers(t *testing.T, clients chan<- store.Client) *fixture {
	t.Helper()
	f := start(t, func(c *Config) {
		c.Users, c.Trusted = true, nil
		c.Caps.StrangerPerAddress = 50
		c.Backend.(*backend).authenticate = func(c store.Client, user, password string) error {
			if clients != nil {
				clients <- c
			}
			switch {
			case user == "down":
				return errors.New("directory is down")
			case user != "anna" || password != "good secret":
				return errCredentials
			}
			return nil
		}
	})
	return f
}

func TestAuthIsOfferedUnderTLSWithUsersOnly(t *testing.T) {
	t.Parallel()
	users, none := withUsers(t, nil), start(t)
	for name, tc := range map[string]struct {
		p       *caller
		offered bool
		reply   string
	}{
		"users, clear":    {users.clear(0), false, "538 5.7.11 Encryption required"},
		"users, STARTTLS": {users.starttls(0), true, "235 2.0.0"},
		"users, implicit": {users.implicit(), true, "235 2.0.0"},
		"none, clear":     {none.clear(0), false, "502 5.5.1 AUTH is not available"},
		"none, implicit":  {none.implicit(), false, "502 5.5.1 AUTH is not available"},
	} {
		tc.p.Send("EHLO again.example\r\n")
		if caps := tc.p.Want("250"); strings.Contains(caps, "AUTH PLAIN LOGIN") != tc.offered || strings.Contains(caps, "AUTH") != tc.offered {
			t.Errorf("%s: %q", name, caps)
		}
		tc.p.ask(plain("", "anna", "good secret"), tc.reply)
	}
}

func TestAuthenticatedUserMayRelay(t *testing.T) {
	t.Parallel()
	clients := make(chan store.Client, 10)
	f := withUsers(t, clients)
	for _, which := range []int{0, 2} {
		p := f.starttls(which)
		p.ask("AUTH LOGIN", "334 "+b64("Username:"))
		p.ask(b64("anna"), "334 "+b64("Password:"))
		p.ask(b64("good secret"), "235 2.0.0")
		if c := <-clients; c.IP != "127.0.0.1" || c.TLS == "" || c.User != "" {
			t.Fatalf("client %+v", c)
		}
		p.begin()
		p.message(letter)
		got := f.b.messages()
		if c := got[len(got)-1].env.Client; c.Class != store.ClientUser || c.User != "anna" {
			t.Fatalf("client %+v", c)
		}
		p.ask(plain("", "anna", "good secret"), "503 5.5.1")
	}
	if log := f.log.String(); strings.Contains(log, "good") || len(f.log.events(t, "auth")) != 2 {
		t.Fatalf("log %s", log)
	}
}

func TestAuthFailures(t *testing.T) {
	t.Parallel()
	f := withUsers(t, nil)
	p := f.implicit()
	p.ask(plain("", "down", "x"), "451 4.3.0 Temporary local problem") // counts for nothing
	p.ask(plain("bob", "anna", "good secret"), "535 5.7.8 Authentication credentials invalid")
	p.ask("AUTH LOGIN "+b64("anna"), "334")
	p.ask(b64("bad"), "535 5.7.8")
	p.ask("AUTH PLAIN", "334")
	p.ask("*", "501")
	p.ask("AUTH PLAIN !!!", "501 5.5.2")
	p.ask("AUTH PLAIN "+b64("no separators"), "501 5.5.2")
	p.ask("AUTH CRAM-MD5", "504 5.5.4 Unsupported authentication mechanism")
	p.ask("AUTH", "501 5.5.4")
	p.ask("RSET", "250")
	if log := f.log.String(); strings.Contains(log, "anna") {
		t.Fatalf("who fails to log on may have typed a password there: %s", log)
	}
	p.ask(plain("", "anna", "worse"), "421 4.7.0 Too many errors (ref ")
	p.WantEnd()
}

func TestAuthNotDuringATransaction(t *testing.T) {
	t.Parallel()
	p := withUsers(t, nil).implicit()
	p.ask("MAIL FROM:<a@x.example>", "250")
	p.ask(plain("", "anna", "good secret"), "503 5.5.1 AUTH is not permitted during a mail transaction")
	p.ask("RCPT TO:<b@y.example>", "550 5.7.1")
}

func TestAuthGuessingFromOneAddress(t *testing.T) {
	t.Parallel()
	f := withUsers(t, nil)
	failed := 0
	for failed < failuresPerAddress {
		p := f.implicit()
		for range failuresPerConn - 1 {
			if failed++; failed <= failuresPerAddress {
				p.ask(plain("", "anna", "bad"), "535")
			}
		}
	}
	p := f.implicit()
	p.ask(plain("", "anna", "good secret"), "421 4.7.0 Too many errors")
	p.WantEnd()
}

func TestFailuresAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFailures(time.Now)
		a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		for range failuresPerAddress {
			if f.over(a) {
				t.Fatal("too early")
			}
			f.add(a)
			time.Sleep(time.Second)
		}
		if !f.over(a) || f.over(b) {
			t.Fatal("it counts by address")
		}
		time.Sleep(failureWindow)
		if f.over(a) || len(f.at) != 0 {
			t.Fatal("not forgotten")
		}
	})
}
