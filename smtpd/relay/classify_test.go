package relay

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// TestClassification is MAIL 8.2 as a table: what ends a message and what is tried again.
func TestClassification(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		stage stage
		code  int
		enh   smtp.EnhancedCode
		want  bool
	}{
		{stageMail, 550, smtp.EnhancedCode{5, 7, 1}, true},
		{stageRcpt, 550, smtp.EnhancedCode{5, 1, 1}, true},
		{stageData, 554, smtp.EnhancedCode{5, 5, 1}, true},
		{stageEnd, 554, smtp.EnhancedCode{5, 7, 1}, true},
		{stageEnd, 552, smtp.EnhancedCode{5, 3, 4}, true},
		{stageMail, 552, smtp.EnhancedCode{5, 3, 4}, true},
		{stageRcpt, 552, smtp.EnhancedCode{5, 2, 2}, false}, // means 452
		{stageRcpt, 551, smtp.EnhancedCode{}, true},
		{stageMail, 500, smtp.EnhancedCode{}, true},
		{stageMail, 530, smtp.EnhancedCode{5, 7, 0}, false},
		{stageRcpt, 530, smtp.EnhancedCode{}, false},
		{stageEnd, 538, smtp.EnhancedCode{5, 7, 11}, false},
		{stageMail, 550, smtp.EnhancedCode{5, 7, 64}, false}, // TenantAttribution
		{stageRcpt, 550, smtp.EnhancedCode{5, 7, 64}, false},
		{stageEnd, 550, smtp.EnhancedCode{5, 7, 64}, false},
		{stageConnect, 554, smtp.EnhancedCode{5, 3, 2}, false},
		{stageConnect, 521, smtp.EnhancedCode{}, false},
		{stageTLS, 554, smtp.EnhancedCode{}, false},
		{stageAuth, 535, smtp.EnhancedCode{5, 7, 8}, false},
		{stageRcpt, 450, smtp.EnhancedCode{4, 2, 0}, false},
		{stageRcpt, 450, smtp.EnhancedCode{5, 1, 1}, false}, // the code decides, not the status
		{stageEnd, 421, smtp.EnhancedCode{4, 3, 2}, false},
		{stageEnd, 354, smtp.EnhancedCode{}, false},
		{stageEnd, 600, smtp.EnhancedCode{}, false},
	} {
		a := hear(tc.stage, &smtp.SMTPError{Code: tc.code, EnhancedCode: tc.enh, Message: "text"})
		if a.permanent != tc.want {
			t.Errorf("%s %d %v: permanent %v, want %v", tc.stage, tc.code, tc.enh, a.permanent, tc.want)
		}
	}
}

func TestStatusHasTheClassOfTheReply(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code int
		enh  smtp.EnhancedCode
		want string
	}{
		{550, smtp.EnhancedCode{5, 1, 1}, "5.1.1"},
		{550, smtp.EnhancedCode{}, "5.0.0"},
		{450, smtp.EnhancedCode{5, 1, 1}, "4.1.1"},
		{550, smtp.EnhancedCode{4, 1, 1}, "5.1.1"},
		{451, smtp.EnhancedCode{}, "4.0.0"},
		{354, smtp.EnhancedCode{}, "4.0.0"},
		{550, smtp.EnhancedCode{5, -1, 70000}, "5.0.0"},
	} {
		if got := statusOf(&smtp.SMTPError{Code: tc.code, EnhancedCode: tc.enh}); got != tc.want {
			t.Errorf("%d %v: %s, want %s", tc.code, tc.enh, got, tc.want)
		}
	}
}

func TestRemoteID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"250 2.0.0 Ok: queued as 4XyZ12":                           "4XyZ12",
		"250 OK id=1tAbCd-0001":                                    "1tAbCd-0001",
		"250 2.6.0 <a@b> [InternalId=123, Hostname=x] Queued mail": "123",
		"250 2.0.0 OK":                                             "",
		"250 queued as " + strings.Repeat("x", 65):                 "",
	} {
		if got := remoteID(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestRetryTable is the golden test of MAIL 8.1: all steps, without jitter.
func TestRetryTable(t *testing.T) {
	t.Parallel()
	c := Config{Jitter: func() float64 { return 0.5 }}.withDefaults()
	want := []int{1, 2, 5, 10, 15, 30, 30, 60, 60, 120, 180, 180, 180}
	for i, minutes := range want {
		if got := c.backoff(i + 1).Round(time.Second); got != time.Duration(minutes)*time.Minute {
			t.Errorf("after failure %d: %v, want %d min", i+1, got, minutes)
		}
	}
	var at time.Duration
	attempts := 1
	for at+c.backoff(attempts) < 5*24*time.Hour {
		at += c.backoff(attempts)
		attempts++
	}
	if attempts != 49 {
		t.Errorf("%d attempts in 5 days, want 49", attempts)
	}
}

func TestJitterIsTenPercent(t *testing.T) {
	t.Parallel()
	for r, want := range map[float64]time.Duration{0: 54 * time.Second, 0.5: time.Minute, 0.999999999: 66 * time.Second} {
		c := Config{Jitter: func() float64 { return r }}.withDefaults()
		if got := c.backoff(1).Round(time.Second); got != want {
			t.Errorf("jitter %v: %v, want %v", r, got, want)
		}
	}
}

func TestRouteValidate(t *testing.T) {
	t.Parallel()
	good := Route{Domains: []string{"*"}, Host: "mx.example.org:25", Stamp: "X-A: b"}
	if err := good.Validate(); err != nil {
		t.Errorf("good route: %v", err)
	}
	for name, spoil := range map[string]func(*Route){
		"domains": func(r *Route) { r.Domains = nil }, "host": func(r *Route) { r.Host = "" }, "port": func(r *Route) { r.Host = "mx.example.org" },
		"tls": func(r *Route) { r.TLS = "perhaps" }, "auth": func(r *Route) { r.TLS, r.Auth = TLSNone, &Auth{"u", "p"} },
		"eight_bit": func(r *Route) { r.EightBit = "convert" }, "oversize": func(r *Route) { r.Oversize = "seal" },
		"stamp": func(r *Route) { r.Stamp = "X: a\r\nY: b" }, "stamp name": func(r *Route) { r.Stamp = "no colon" },
	} {
		r := good
		if spoil(&r); r.Validate() == nil {
			t.Errorf("bad %s passes", name)
		}
	}
}

// TestLiteralsNeedARouteOfTheirOwn holds MAIL 2.2: a route for all is not meant for somebody's IP address.
func TestLiteralsNeedARouteOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		domains []string
		domain  string
		want    bool
	}{
		{[]string{"*"}, "ext.example", true},
		{[]string{"*"}, "[192.0.2.1]", false},
		{[]string{"*"}, "[IPv6:2001:db8::1]", false},
		{[]string{"*", "[192.0.2.1]"}, "[192.0.2.1]", true},
		{[]string{"[IPv6:2001:db8::1]"}, "[ipv6:2001:DB8::1]", true},
		{[]string{".example"}, "ext.example", true},
		{[]string{".example"}, "example", false},
	} {
		if got := (Route{Domains: tc.domains}).Matches(tc.domain); got != tc.want {
			t.Errorf("%v, %s: %v", tc.domains, tc.domain, got)
		}
	}
}

func TestAuthDoesNotPrint(t *testing.T) {
	t.Parallel()
	a := Auth{User: "gateway", Password: "hunter2"}
	for _, text := range []string{a.String(), a.GoString(), a.LogValue().String()} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("password in %q", text)
		}
	}
}

// TestTokenSplitByReplyLinesIsScrubbed holds MAIL 6.5 where a next hop breaks the link it quotes, and the library left
// the codes of the lines in their text.
func TestTokenSplitByReplyLinesIsScrubbed(t *testing.T) {
	t.Parallel()
	const token = "1000g40r40m30e209185gr38e1w8124gk9d90"
	for _, codes := range []string{"", "5.7.1 ", "5.7.26 "} {
		text := "listed\n" + codes + "https://mail.example.org/p/" + token[:18] + "\n" + codes + token[18:] + "\n" + codes + "end"
		a := hear(stageEnd, &smtp.SMTPError{Code: 550, Message: text})
		if strings.Contains(a.text, token[:18]) || strings.Contains(a.text, token[18:]) || !strings.HasSuffix(a.text, " "+codes+"end") {
			t.Errorf("codes %q: %q", codes, a.text)
		}
	}
}
