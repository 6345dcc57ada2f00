package policy

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"postern/store"
	"postern/store/mail"
)

func compile(t testing.TB, c Config) *Policy {
	t.Helper()
	if c.Internal == nil {
		c.Internal = func(domain string) bool { return domain == "example.org" }
	}
	p, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompileNeedsTheDomains(t *testing.T) {
	t.Parallel()
	if _, err := Compile(Config{}); err == nil {
		t.Error("no error")
	}
}

func TestWhatFlags(t *testing.T) {
	t.Parallel()
	p := compile(t, Config{Tags: []string{"secure"}})
	tagged := mail.ParseHeader([]byte("Subject: [secure] x\r\n\r\n"))
	tests := []struct {
		name string
		in   Input
		want bool
	}{
		{"tag", Input{Header: tagged}, true},
		{"tag on own mail", Input{Header: tagged, Own: true}, false},
		{"thread", Input{Facts: Facts{ThreadSealed: true}}, true},
		{"reply from the site", Input{Env: store.Envelope{Client: store.Client{Class: store.ClientSite}}}, true},
		{"nothing", Input{}, false},
	}
	for _, tt := range tests {
		if got := p.findTrigger(tt.in) != nil; got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestRepliesFit: whatever is configured, a refusal is one line of ASCII with room for code and reference in 300
// octets (MAIL §5).
func TestRepliesFit(t *testing.T) {
	t.Parallel()
	support := supportText(strings.Repeat("Bürgerbüro\r\n", 100))
	replies := []*store.ReplyError{
		replyNotEnabled(support), replyForeign(), replyNoAuthor(), replyOption(), replyDisabled(support), replyLiteral(),
		replyRule(strings.Repeat("x", maxSentence), true), replyDisabled(supportText("")),
	}
	for _, r := range replies {
		line := r.Error() + " (ref 0123456789abcdef0123456789)\r\n"
		if len(line) > 300 || r.Code != 550 || r.Temporary() || strings.ContainsFunc(r.Text, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%d octets: %q", len(line), line)
		}
	}
	if _, err := Compile(Config{Internal: func(string) bool { return true }, Rules: []Rule{
		{Name: "long", Match: Match{To: []string{"*"}}, Action: "reject", Reason: strings.Repeat("x", maxSentence+1)},
	}}); err == nil {
		t.Error("a sentence that does not fit is taken")
	}
}

// TestP6ReasonsQuoteNothing: neither reasons nor refusals repeat anything of the message.
func TestP6ReasonsQuoteNothing(t *testing.T) {
	t.Parallel()
	p := compile(t, Config{Tags: []string{"secure"}, NearMiss: true, TriggerHeaders: []NameValue{{Name: "X-Secure"}}})
	to := store.Rcpt{Address: address(t, "canary@canary.example")}
	for _, h := range []string{
		"From: canary@example.org\r\nSubject: [secure canary] canary", "From: canary@example.org\r\nSubject: [secrue] canary",
		"From: canary@canary.example\r\nSubject: [secure] canary", "From: canary, canary\r\nSubject: [secure] canary",
		"From: canary@example.org\r\nX-Secure: canary", "From: canary@example.org\r\nSubject: canary",
	} {
		in := Input{Header: mail.ParseHeader([]byte(h + "\r\n\r\n")), Env: store.Envelope{Rcpts: []store.Rcpt{to}}}
		if d := p.Decide(in)[0]; strings.Contains(fmt.Sprint(d.Reason, d.Rule, d.Refusal), "canary") {
			t.Errorf("%q: %+v", h, d)
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	tests := []struct {
		p, s string
		want bool
	}{
		{"", "", true}, {"*", "", true}, {"*", "x", true}, {"a*b", "ab", true}, {"a*b", "axxb", true}, {"a*b", "axxbc", false},
		{"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false}, {"a", "", false}, {"", "a", false}, {"**", "a", true}, {"a**", "a", true},
	}
	for _, tt := range tests {
		if got := glob(tt.p, tt.s); got != tt.want {
			t.Errorf("glob(%q, %q) = %v", tt.p, tt.s, got)
		}
	}
}

// TestOneDecisionPerRecipient: in the order of the envelope, also with facts missing, for many at once.
func TestOneDecisionPerRecipient(t *testing.T) {
	t.Parallel()
	p := compile(t, Config{Tags: []string{"secure"}})
	var in Input
	in.Header = mail.ParseHeader([]byte("From: maria@example.org\r\nSubject: [secure] x\r\n\r\n"))
	for i := range 1000 {
		domain := "mail.example"
		if i%3 == 0 {
			domain = "example.org"
		}
		in.Env.Rcpts = append(in.Env.Rcpts, store.Rcpt{Address: store.Address{Local: fmt.Sprint("r", i), Domain: domain}})
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, d := range p.Decide(in) {
				if (d.Action == store.ActionRelay) != (i%3 == 0) || d.NeedTLS != (i%3 == 0) {
					t.Errorf("recipient %d: %+v", i, d)
				}
			}
		})
	}
	wg.Wait()
	if got := p.Decide(Input{}); len(got) != 0 {
		t.Errorf("no recipients: %v", got)
	}
}

// FuzzDecide: a flagged message never goes outside in clear, and every decision is whole.
func FuzzDecide(f *testing.F) {
	f.Add([]byte("From: maria@example.org\r\nSubject: [secure] x\r\n\r\n"), "joan@mail.example")
	f.Add([]byte("From: bob@mail.example\r\nSubject: =?utf-8?Q?[secrue 7d]?=\r\n\r\n"), "joan@[192.0.2.1]")
	p := compile(f, Config{Tags: []string{"secure"}, NearMiss: true, Rules: []Rule{{Name: "all", Match: Match{Subject: []string{"x"}}, Action: "relay"}}})
	f.Fuzz(func(t *testing.T, raw []byte, to string) {
		a, err := store.ParseAddress(to)
		if err != nil {
			return // no recipient
		}
		in := Input{Header: mail.ParseHeader(raw), Env: store.Envelope{Rcpts: []store.Rcpt{{Address: a}}}}
		d := p.Decide(in)[0]
		describe(t, d)
		if p.findTrigger(in) != nil && d.Action == store.ActionRelay && !p.isInternal(a) {
			t.Fatalf("relayed: %+v", d)
		}
	})
}

func benchmarkHeader() []byte {
	return []byte(strings.ReplaceAll(`Received: from mail.example.org (mail.example.org [192.0.2.1])
	by gw.example.org (Postern) with ESMTPS id 4Xy1Zk3V9Cz1b3S
	for <joan@mail.example>; Tue, 9 Jun 2026 10:42:08 +0100
Received: from client (client.example.org [192.0.2.2])
	by mail.example.org with ESMTPSA; Tue, 9 Jun 2026 10:42:07 +0100
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s1;
	h=From:To:Cc:Subject:Date:Message-ID:MIME-Version:Content-Type;
	bh=`+strings.Repeat("A", 44)+`;
	b=`+strings.Repeat("B", 340)+`
From: "Lindqvist, Maria" <maria.lindqvist@example.org>
To: "Hartley, Joan" <joan.hartley@mail.example>, Ruth Adeyemi <r.adeyemi@riverside-day.example>
Cc: =?utf-8?Q?J=C3=B6rg_Br=C3=BCckner?= <joerg.brueckner@example.org>
Subject: =?utf-8?Q?[secure_7d]_Ihr_Betreuungsplan:_=C3=9Cberpr=C3=BCfung_am_24._J?=
	=?utf-8?Q?uni?=
Thread-Topic: Care plan
Thread-Index: AdqrYkX0bJ6v0S9tQvK2yq3m1uQ8Ag==
Date: Tue, 9 Jun 2026 09:42:07 +0000
Message-ID: <DB9PR01MB7654A1B2C3D4E5F6@DB9PR01MB7654.eurprd01.prod.example>
References: <CAF1a2b3c4d5e6f7=g8h9i0j@mail.gmail.example>
	<DB9PR01MB7654A1B2C3D4E5F5@DB9PR01MB7654.eurprd01.prod.example>
In-Reply-To: <DB9PR01MB7654A1B2C3D4E5F5@DB9PR01MB7654.eurprd01.prod.example>
Accept-Language: en-GB, en-US
X-MS-Exchange-Organization-SCL: -1
X-Originating-IP: [192.0.2.2]
Content-Type: multipart/mixed;
	boundary="_006_DB9PR01MB7654A1B2C3D4E5F6DB9PR01MB7654eurp_"
MIME-Version: 1.0

`, "\n", "\r\n"))
}

func BenchmarkDecide(b *testing.B) {
	p := compile(b, Config{Tags: []string{"secure", "encrypt"}, NearMiss: true, Rules: []Rule{
		{Name: "archive", Match: Match{To: []string{"journal@archive.example"}}, Action: "relay", EvenIfFlagged: true},
		{Name: "bank", Match: Match{To: []string{".bank.example"}, Subject: []string{"invoice"}}, Action: "seal"},
	}})
	raw := benchmarkHeader()
	to := []store.Rcpt{{Address: store.Address{Local: "joan", Domain: "mail.example"}}, {Address: store.Address{Local: "care", Domain: "example.org"}}}
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	br := bufio.NewReader(nil)
	for b.Loop() {
		br.Reset(bytes.NewReader(raw))
		h, _, err := mail.ReadHeader(br, 1<<20)
		if err != nil {
			b.Fatal(err)
		}
		d := p.Decide(Input{Env: store.Envelope{Rcpts: to}, Header: h})
		if d[0].Action != store.ActionSeal {
			b.Fatal(d)
		}
	}
}
