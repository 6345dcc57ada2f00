package smtpd

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/store"
)

// postmasterOf lets a Server send on what comes for its postmaster.
func postmasterOf(c *Config) { c.Postmaster = store.Address{Local: "pm", Domain: "example.org"} }

// TestPostmasterIsReachable: RFC 5321 §4.5.1 wants mail to the postmaster taken from everybody; it goes to the
// organisation's postmaster, with the sender's wishes for reports unless the sender is anybody (MAIL 6.4).
func TestPostmasterIsReachable(t *testing.T) {
	t.Parallel()
	for name, trusted := range map[string]bool{"stranger": false, "trusted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, postmasterOf, func(c *Config) {
				if !trusted {
					c.Trusted = nil
				}
			})
			want := store.Rcpt{Address: f.srv.cfg.Postmaster, Notify: store.NotifyNever}
			if trusted {
				want.Notify = store.NotifySuccess
			}
			n := 0
			for way, p := range ways(f) {
				for _, path := range []string{"<postmaster>", "<Postmaster>", " <POSTMASTER>", "<postmaster@gw.example>", "<PostMaster@GW.example>"} {
					p.ask("MAIL FROM:<a@x.example>", "250")
					p.ask("RCPT TO:"+path+" NOTIFY=SUCCESS", "250 2.1.5 Ok")
					p.message(letter)
					got := f.b.messages()
					if n++; len(got) != n || len(got[n-1].env.Rcpts) != 1 || got[n-1].env.Rcpts[0] != want || got[n-1].body != letter {
						t.Fatalf("%s, %s: %d messages, the last to %+v; want %+v", way, path, len(got), got[len(got)-1].env.Rcpts, want)
					}
				}
			}
		})
	}
}

// TestPostmasterIsNoWayToOthers: what is taken for the postmaster opens no other address to a stranger.
func TestPostmasterIsNoWayToOthers(t *testing.T) {
	t.Parallel()
	f := start(t, postmasterOf, func(c *Config) { c.Trusted, c.Caps.StrangerErrors = nil, 100 })
	p := f.clear(0)
	p.ask("MAIL FROM:<a@x.example>", "250")
	p.ask("RCPT TO:<postmaster>", "250")
	for _, path := range []string{
		"<pm@example.org>", "<postmaster@example.org>", "<postmaster@sub.gw.example>", "<postmaster@gw.example.org>", "<postmaster%x.example@gw.example>",
		"<postmaster+x@gw.example>", "<abuse@gw.example>", "<x@gw.example>", "<@gw.example:b@y.example>",
	} {
		p.ask("RCPT TO:"+path, "550 5.7.1 Relaying denied (ref ")
	}
	for _, path := range []string{"<postmaster", "<postmaster>@gw.example", "<postmasters>", "<abuse>"} {
		p.ask("RCPT TO:"+path, "501 5.1.3 Bad recipient address (ref ")
	}
	p.message(letter)
	if got := f.b.messages(); len(got) != 1 || len(got[0].env.Rcpts) != 1 {
		t.Fatalf("%+v", got)
	}
	none := start(t, func(c *Config) { c.Trusted = nil })
	p = none.clear(0)
	p.ask("MAIL FROM:<a@x.example>", "250")
	p.ask("RCPT TO:<postmaster>", "550 5.7.1 Relaying denied (ref ")
}

// TestPostmasterLimits: 60 letters an hour that are taken, those of strangers and of the organisation's hosts counted
// apart; strangers' of 1 MiB at most.
func TestPostmasterLimits(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(time.Date(2026, 6, 9, 9, 0, 0, 0, time.UTC).UnixNano())
	f := start(t, postmasterOf, func(c *Config) {
		c.Trusted, c.Caps.StrangerErrors, c.MaxSize = nil, 100, 2<<20
		c.Now = func() time.Time { return time.Unix(0, clock.Load()) }
	})
	var taken atomic.Int64
	f.b.accept = func(env store.Envelope, body io.Reader) (store.Receipt, error) {
		_, err := io.Copy(io.Discard, body)
		switch {
		case err != nil:
			return store.Receipt{}, err
		case env.From.Local == "later":
			return store.Receipt{}, errors.New("no room")
		case env.From.Local == "looping":
			return store.Receipt{}, store.Reply(554, [3]int{5, 4, 6}, "Routing loop detected")
		}
		taken.Add(1)
		return store.Receipt{ID: env.ID}, nil
	}
	p, other := f.clear(0), f.clear(0)
	ask := func(from string, n int) {
		t.Helper()
		p.ask("MAIL FROM:<"+from+"@x.example>", "250")
		for range n {
			p.ask("RCPT TO:<postmaster>", "250")
		}
	}
	send := func(text, answer string) {
		t.Helper()
		p.ask("DATA", "354")
		p.Send(text + ".\r\n")
		p.refused(answer)
	}
	const tooMany = "450 4.7.1 Too many letters to the postmaster"
	for range 2 { // whoever only asks uses nothing up
		ask("a", lettersPerHour)
		p.ask("RCPT TO:<postmaster>", tooMany)
		p.ask("RSET", "250")
	}
	p.ask("MAIL FROM:<a@x.example> SIZE=1048577", "552 5.3.4 Message exceeds 1048576 bytes")
	ask("a", lettersPerHour)
	send("Subject: large\r\n\r\n"+strings.Repeat(strings.Repeat("x", 998)+"\r\n", 1050), "552 5.3.4 Message exceeds 1048576 bytes")
	ask("later", lettersPerHour) // what was too large did not count, nor does what cannot be taken now
	send(letter, "451 4.3.0 Temporary local problem")
	ask("looping", 1) // what is refused for good does
	send(letter, "554 5.4.6 Routing loop detected")
	other.ask("MAIL FROM:<a@x.example>", "250")
	other.ask("RCPT TO:<postmaster>", "250")
	ask("a", lettersPerHour-1)
	p.ask("RCPT TO:<postmaster>", tooMany)
	p.message(letter)
	other.ask("DATA", "354")
	other.Send(letter + ".\r\n")
	other.refused(tooMany)
	other.ask("MAIL FROM:<a@x.example>", "250")
	other.ask("RCPT TO:<postmaster>", tooMany)
	if f.srv.letters.room(store.ClientStranger, 1) || !f.srv.letters.room(store.ClientTrusted, 1) {
		t.Fatal("strangers' letters count against those of trusted hosts")
	}
	clock.Add(int64(time.Hour))
	ask("a", 1)
	p.message(letter)
	if taken.Load() != 2 {
		t.Errorf("%d messages were taken", taken.Load())
	}
}
