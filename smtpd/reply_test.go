package smtpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"postern/store"
)

func fixed() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestReplyFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"reply":            {store.Reply(550, [3]int{5, 7, 1}, "Relaying denied"), "550 5.7.1 Relaying denied (ref R-1)"},
		"wrapped reply":    {fmt.Errorf("x: %w", errRelaying), "550 5.7.1 Relaying denied (ref R-1)"},
		"cause is kept in": {errRelaying.With(errors.New("cause")), "550 5.7.1 Relaying denied (ref R-1)"},
		"full":             {fmt.Errorf("x: %w", store.ErrFull), "452 4.3.1 Insufficient system storage (ref R-1)"},
		"uncertain":        {store.ErrUncertain, "451 4.3.0 Temporary local problem (ref R-1)"},
		"conflict":         {store.ErrConflict, "451 4.3.0 Temporary local problem (ref R-1)"},
		"plain":            {errors.New("secret"), "451 4.3.0 Temporary local problem (ref R-1)"},
		"cut":              {fmt.Errorf("x: %w", context.Canceled), "421 4.3.2 Closing for maintenance (ref R-1)"},
		"backend too slow": {context.DeadlineExceeded, "451 4.3.0 Temporary local problem (ref R-1)"},
		"file timeout":     {os.ErrDeadlineExceeded, "451 4.3.0 Temporary local problem (ref R-1)"},
		"of the library":   {&smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "Big"}, "552 5.3.4 Big (ref R-1)"},
		"no refusal":       {store.Reply(250, [3]int{2, 0, 0}, "Ok"), "451 4.3.0 Temporary local problem (ref R-1)"},
		"nonsense":         {store.Reply(0, [3]int{}, ""), "451 4.3.0 Temporary local problem (ref R-1)"},
		"lines":            {store.Reply(550, [3]int{5, 7, 1}, "one\r\n250 two\x00\ttr\u00e9s"), "550 5.7.1 one 250 two? tr?s (ref R-1)"},
		"long":             {store.Reply(550, [3]int{5, 7, 1}, strings.Repeat("\u00e9", 400)), "550 5.7.1 " + strings.Repeat("?", maxText) + " (ref R-1)"},
	} {
		got := replyFor(tc.err, "R-1")
		line := fmt.Sprintf("%d %d.%d.%d %s", got.Code, got.EnhancedCode[0], got.EnhancedCode[1], got.EnhancedCode[2], got.Message)
		if line != tc.want {
			t.Errorf("%s: %q, want %q", name, line, tc.want)
		}
	}
}

func TestMetricsAreTold(t *testing.T) {
	t.Parallel()
	events := make(chan string, 100)
	f := start(t, func(c *Config) {
		c.Trusted = nil
		c.Caps.StrangerPerAddress = 1
		c.Metrics = Metrics{
			Connected:    func(l string) { events <- "connected " + l },
			Disconnected: func(l string) { events <- "disconnected " + l },
			Rejected:     func(l string) { events <- "rejected " + l },
			Accepted:     func(size int64, _ time.Duration) { events <- fmt.Sprint("accepted ", size) },
			Refused:      func(code int) { events <- fmt.Sprint("refused ", code) },
		}
	})
	p := f.starttls(0)
	f.connect(0).refused("421 4.7.0 Too many connections from your address")
	p.ask("XYZZ", "500")
	p.ask("MAIL FROM:<a@x.example>", "250")
	p.ask("RCPT TO:<b@y.example>", "550 5.7.1")
	p.ask("QUIT", "221")
	p.WantEnd()
	for _, want := range []string{"connected relay", "rejected relay", "refused 500", "refused 550", "disconnected relay"} {
		if got := <-events; got != want {
			t.Fatalf("told %q, want %q", got, want)
		}
	}
	f = start(t, func(c *Config) {
		c.Metrics.Accepted = func(size int64, _ time.Duration) { events <- fmt.Sprint("accepted ", size) }
	})
	p = f.clear(0)
	p.begin()
	p.message(letter)
	if got := <-events; got != fmt.Sprint("accepted ", len(letter)) {
		t.Fatalf("told %q", got)
	}
}

func TestStrangersAreCapped(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Trusted = nil })
	for range 4 {
		f.clear(0)
	}
	p := f.connect(0)
	p.refused("421 4.7.0 Too many connections from your address (ref ")
	p.WantEnd()
}

func TestStrangersAreCutAfterTenErrors(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Trusted = nil })
	p := f.implicit()
	p.ask("MAIL FROM:<a@x.example>", "250")
	for range 10 {
		p.ask("RCPT TO:<b@y.example>", "550 5.7.1")
	}
	p.refused("421 4.7.0 Too many errors (ref ")
	p.WantEnd()
}

func TestReverseNameIsInTheEnvelope(t *testing.T) {
	t.Parallel()
	calls := make(chan netip.Addr, 10)
	f := start(t, func(c *Config) {
		c.Resolve = func(ctx context.Context, a netip.Addr) string {
			if _, limited := ctx.Deadline(); limited {
				calls <- a
			}
			return "client\r\n.example"
		}
	})
	p := f.starttls(0)
	p.begin()
	p.message(letter)
	if got := f.b.messages()[0].env.Client.RDNS; got != "client??.example" {
		t.Fatalf("name %q", got)
	}
	if c := f.log.events(t, "connect"); len(c) != 1 || c[0]["rdns"] != "client??.example" {
		t.Fatalf("log %v", c)
	}
	if len(calls) != 1 || (<-calls).String() != "127.0.0.1" {
		t.Fatal("one look-up per connection")
	}
}
