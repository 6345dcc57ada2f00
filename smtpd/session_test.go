package smtpd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/store"
)

const letter = "From: a@x.example\r\nSubject: canary\r\n\r\nbody\r\n"

// ways are the three ways to a session.
func ways(f *fixture) map[string]*caller {
	return map[string]*caller{"clear": f.clear(0), "starttls": f.starttls(0), "implicit": f.implicit()}
}

func TestMessageReachesTheBackendByteExact(t *testing.T) {
	t.Parallel()
	f := start(t)
	body := letter + ".leading dot\r\n\x80\xff 8 bit\r\n" + strings.Repeat("l", 5000) + "\r\n"
	for name, p := range ways(f) {
		before := time.Now().Add(-time.Millisecond)
		p.begin()
		id := p.message(strings.ReplaceAll(body, "\r\n.", "\r\n.."))
		got := f.b.messages()
		m := got[len(got)-1]
		if m.body != body || m.env.ID != id || m.env.From.String() != "a@x.example" || m.env.Rcpts[0].Address.String() != "b@y.example" {
			t.Fatalf("%s: %+v", name, m.env)
		}
		if !m.env.At.Equal(id.Time()) || m.env.At.Before(before) || m.env.At.After(time.Now()) {
			t.Fatalf("%s: at %v, id of %v", name, m.env.At, id.Time())
		}
		c := m.env.Client
		if c.IP != "127.0.0.1" || c.Helo != "client.example" || c.Class != store.ClientTrusted || !c.ESMTP || len(c.Conn) != 10 {
			t.Fatalf("%s: client %+v", name, c)
		}
		if secure := name != "clear"; secure != (c.TLS == "TLS1.3") || secure != (c.Cipher != "") {
			t.Fatalf("%s: client %+v", name, c)
		}
		if want := map[string]string{"clear": "relay", "starttls": "relay", "implicit": "tls"}[name]; c.Listener != want {
			t.Fatalf("%s: listener %q", name, c.Listener)
		}
	}
}

func TestTwentyMessagesOnOneConnection(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, p := range ways(f) {
		ids := map[store.MessageID]bool{}
		for i := range 20 {
			p.begin()
			if i%2 == 0 {
				ids[p.message(letter)] = true
				continue
			}
			p.Send(fmt.Sprintf("BDAT %d\r\n%sBDAT 6 LAST\r\nmore\r\n", len(letter), letter))
			p.Want("250")
			p.Want("250 2.0.0 Ok: queued as ")
		}
		if len(ids) != 10 {
			t.Fatalf("%d ids", len(ids))
		}
	}
	if n := len(f.b.messages()); n != 60 {
		t.Fatalf("%d messages", n)
	}
}

func TestPipelinedWholeSession(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.connect(0)
	one := "MAIL FROM:<a@x.example> SIZE=100\r\nRCPT TO:<b@y.example>\r\nDATA\r\n" + letter + ".\r\n"
	p.Send("EHLO client.example\r\n" + one + one + "MAIL FROM:<>\r\nRCPT TO:<c@y.example>\r\n" +
		fmt.Sprintf("BDAT %d LAST\r\n%s", len(letter), letter) + "QUIT\r\n")
	for _, want := range strings.Fields("220 250 250 250 354 250 250 250 354 250 250 250 250 221") {
		p.Want(want)
	}
	p.WantEnd()
	got := f.b.messages()
	if len(got) != 3 || got[0].body != letter || got[2].body != letter || got[2].env.From != nil || got[0].env.Size != 100 {
		t.Fatalf("%d messages", len(got))
	}
}

func TestStrangersMayNotRelay(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Trusted = nil })
	for _, p := range ways(f) {
		p.ask("MAIL FROM:<a@x.example>", "250")
		p.ask("RCPT TO:<b@y.example>", "550 5.7.1 Relaying denied (ref ")
		p.ask("RCPT TO:<a@x.example>", "550 5.7.1 Relaying denied (ref ")
		p.ask("DATA", "503 5.5.1")
	}
}

func TestTrustedNetworksHoldAddressesOnly(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Trusted = append(c.Trusted[:0:0], loopback[0].Masked()) })
	if !f.srv.trusts(loopback[0].Addr()) {
		t.Fatal("127.0.0.0 is trusted")
	}
	var none = f.srv.class
	if none(loopback[0].Addr()).PerAddress != 0 {
		t.Fatal("trusted hosts have no limit of their own (MAIL 9.1)")
	}
}

// TestD4Addresses plays what go-smtp lets through: it takes the quotes off and hands the content on.
func TestD4Addresses(t *testing.T) {
	t.Parallel()
	const bad, quoted, utf8 = "bad", "quoted", "utf8"
	f := start(t)
	for path, want := range map[string]string{
		"<bob@y.example>":                              "bob@y.example",
		"<bob+x=y@y.example>":                          "bob+x=y@y.example",
		"bob@y.example":                                "bob@y.example",
		"<@a.example,@b.example:b@y.x>":                "b@y.x",
		`<"bob"@y.example>`:                            "bob@y.example",
		`<"b.o.b"@y.example>`:                          "b.o.b@y.example",
		"<bob@[192.0.2.1]>":                            "bob@[192.0.2.1]",
		"<" + strings.Repeat("l", 128) + "@y.example>": strings.Repeat("l", 128) + "@y.example",
		`<"victim@other.example> NOTIFY=NEVER x"@allowed.example>`: quoted,
		`<"b b"@y.example>`:            quoted,
		`<"b..b"@y.example>`:           quoted,
		`<"\"bob\""@y.example>`:        quoted,
		`<@a.example:"b b"@y.example>`: quoted,
		`<"b` + "\t" + `b"@y.example>`: quoted,
		"<b..b@y.example>":             bad,
		"<.b@y.example>":               bad,
		"<b@y..example>":               bad,
		"<b@-y.example>":               bad,
		"<b@y@z.example>":              bad,
		"<b b@y.example>":              bad,
		"<b@[300.0.2.1]>":              bad,
		"<b>":                          bad,
		"<@y.example>":                 bad,
		"<b@y.example":                 bad,
		"<b@>":                         bad,
		"<b\u202e@y.example>":          bad,
		"<b\xff@y.example>":            bad,
		"<" + strings.Repeat("l", 129) + "@y.example>": bad,
		"<b\u00e9@y.example>":                          utf8,
		"<b@m\u00fcnchen.example>":                     utf8,
		"<\"b\u00e9\"@y.example>":                      utf8,
	} {
		codes := map[string][2]string{
			bad:    {"501 5.1.7 Bad sender address", "501 5.1.3 Bad recipient address"},
			quoted: {"553 5.1.7 Quoted local parts are not supported", "553 5.1.3 Quoted local parts are not supported"},
			utf8:   {"553 5.6.7 Address needs SMTPUTF8", "553 5.6.7 Address needs SMTPUTF8"},
		}
		p := f.clear(0)
		if replies, ok := codes[want]; ok {
			p.ask("MAIL FROM:"+path, replies[0])
			p.ask("MAIL FROM:<a@x.example>", "250")
			p.ask("RCPT TO:"+path, replies[1])
			p.Close()
			continue
		}
		p.ask("MAIL FROM:"+path, "250")
		p.ask("RCPT TO:"+path, "250")
		p.message(letter)
		got := f.b.messages()
		env := got[len(got)-1].env
		if env.From.String() != want || env.Rcpts[0].Address.String() != want {
			t.Errorf("%s: from %s, to %s", path, env.From, env.Rcpts[0].Address)
		}
		p.Close()
	}
}

func TestSMTPUTF8(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.implicit()
	p.ask("MAIL FROM:<\u00e9@m\u00fcnchen.example> SMTPUTF8 BODY=8BITMIME", "250 2.1.0 Ok")
	p.ask("RCPT TO:<\u7528\u6237@y.example>", "250 2.1.5 Ok")
	p.message(letter)
	env := f.b.messages()[0].env
	if !env.UTF8 || !env.EightBit || env.From.Local != "\u00e9" || env.Rcpts[0].Address.Local != "\u7528\u6237" {
		t.Fatalf("%+v", env)
	}
}

func TestSequenceOfCommands(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.connect(0)
	p.Want("220")
	p.ask("MAIL FROM:<a@x.example>", "503 5.5.1 Bad sequence of commands")
	p.ask("HELO client.example", "250 gw.example")
	p.ask("RCPT TO:<b@y.example>", "503 5.5.1 Bad sequence of commands")
	p.ask("DATA", "503 5.5.1 Bad sequence of commands")
	p.begin()
	p.ask("MAIL FROM:<b@x.example>", "503 5.5.1 Nested MAIL command")
	p.ask("DATA now", "501")
	p.ask("RSET", "250 2.0.0 Ok")
	p.ask("RCPT TO:<b@y.example>", "503")
	p.begin()
	p.message(letter)
	if f.b.messages()[0].env.Client.ESMTP {
		t.Fatal("it said HELO")
	}
	p.ask("MAIL FROM:<a@x.example>", "250")
	p.ask("EHLO other.example", "250")
	p.ask("RCPT TO:<b@y.example>", "503")
	p.begin()
	p.message(letter)
	if c := f.b.messages()[1].env.Client; !c.ESMTP || c.Helo != "other.example" {
		t.Fatalf("client %+v", c)
	}
	p.ask("LHLO client.example", "500 5.5.1 This is not an LMTP server")
	p.ask("HELP", "502 5.5.1 Command not implemented")
	p.ask("XYZZ", "500 5.5.2 Command not recognized")
	p.ask("MAIL FROM:<a@x.example> FOO=BAR", "555 5.5.4")
	p.ask("MAIL FROM:<a@x.example> BODY=BINARYMIME", "555 5.5.4")
	p.ask("MAIL FROM:<a@x.example> REQUIRETLS", "555 5.5.4")
	p.ask("AUTH PLAIN AAAA", "502 5.5.1 AUTH is not available")
	p.ask("NOOP", "250 2.0.0 Ok")
}

func TestHeloArgument(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, valid := range map[string]bool{
		"client.example": true, "SRV_01": true, "localhost": true, "[192.0.2.1]": true, "[IPv6:2001:db8::1]": true, "1.2.3.4": true,
		"a;b": false, "a(b)": false, "a\x22b": false, "[1.2.3]": false, "[x]": false, "[IPv6:zz]": false, "[192.0.2.1": false,
		"b\u00fcro.example": false, "<a>": false, strings.Repeat("a", 256): false,
	} {
		for _, verb := range []string{"EHLO ", "HELO "} {
			p := f.clear(0) // a first, good name is forgotten
			p.ask(verb+name, "250")
			if valid {
				p.ask("MAIL FROM:<a@x.example>", "250")
			} else {
				p.ask("MAIL FROM:<a@x.example>", "501 5.5.4 Bad HELO or EHLO argument")
			}
			p.Close()
		}
	}
	f.clear(0).ask("EHLO", "501 5.5.4")
}

func TestThousandRecipients(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.clear(0)
	var all strings.Builder
	all.WriteString("MAIL FROM:<a@x.example>\r\n")
	for i := range 1001 {
		fmt.Fprintf(&all, "RCPT TO:<r%d@y.example>\r\n", i)
	}
	go p.Send(all.String())
	for range 1001 {
		p.Want("250")
	}
	p.refused("452 4.5.3 Too many recipients")
	p.message(letter)
	if n := len(f.b.messages()[0].env.Rcpts); n != 1000 {
		t.Fatalf("%d recipients", n)
	}
}

func TestDSNOptions(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.clear(0)
	p.ask("MAIL FROM:<a@x.example> RET=HDRS ENVID=QQ+2B314159", "250")
	p.ask("RCPT TO:<b@y.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@y.example", "250")
	p.ask("RCPT TO:<c@y.example> NOTIFY=NEVER", "250")
	p.ask("RCPT TO:<d@y.example> NOTIFY=failure ORCPT=utf-8;d\\x{E9}@y.example", "250")
	p.ask("RCPT TO:<e@y.example>", "250")
	p.message(letter)
	env := f.b.messages()[0].env
	want := []store.Rcpt{
		{Notify: store.NotifySuccess | store.NotifyDelay, ORcpt: "rfc822;Bob+x@y.example"},
		{Notify: store.NotifyNever},
		{Notify: store.NotifyFailure, ORcpt: "utf-8;d\u00e9@y.example"},
		{},
	}
	if env.Ret != store.RetHdrs || env.EnvID != "QQ+314159" || len(env.Rcpts) != len(want) {
		t.Fatalf("%+v", env)
	}
	for i, r := range env.Rcpts {
		if r.Notify != want[i].Notify || r.ORcpt != want[i].ORcpt {
			t.Errorf("recipient %d: %+v", i, r)
		}
	}
	p.ask("MAIL FROM:<a@x.example> RET=SOME", "501 5.5.4")
	p.ask("MAIL FROM:<a@x.example> ENVID="+strings.Repeat("e", 101), "501 5.5.4 Bad ENVID parameter")
	p.ask("MAIL FROM:<a@x.example> RET=FULL", "250")
	p.ask("RCPT TO:<b@y.example> NOTIFY=NEVER,DELAY", "501 5.5.4")
	p.ask("RCPT TO:<b@y.example> ORCPT=rfc822;"+strings.Repeat("o", 500), "501 5.5.4 Bad ORCPT parameter")
	p.ask(`RCPT TO:<b@y.example> ORCPT=utf-8;a\x{0A}b@y.example`, "501 5.5.4")
}

func TestAnnouncedSize(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, p := range ways(f) {
		p.ask(fmt.Sprintf("MAIL FROM:<a@x.example> SIZE=%d", testLimit), "250")
		p.ask("RSET", "250")
		for _, size := range []int64{testLimit + 1, testLimit + 2, 1 << 32, 1 << 40} {
			p.ask(fmt.Sprintf("MAIL FROM:<a@x.example> SIZE=%d", size), "552 5.3.4 Message exceeds 131072 bytes (ref ")
		}
	}
}

func TestRoomIsReservedWhileATransactionIsOpen(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) {
		c.Room = func(n int64) error {
			if n > 1000 {
				return fmt.Errorf("look at disk: %w", store.ErrFull)
			}
			return nil
		}
	})
	first, second := f.clear(0), f.starttls(0)
	first.ask("MAIL FROM:<a@x.example> SIZE=1001", "452 4.3.1 Insufficient system storage (ref ")
	first.ask("MAIL FROM:<a@x.example> SIZE=600", "250")
	second.ask("MAIL FROM:<a@x.example> SIZE=600", "452 4.3.1")
	second.ask("MAIL FROM:<a@x.example> SIZE=400", "250")
	second.ask("RSET", "250")
	first.ask("RCPT TO:<b@y.example>", "250")
	first.message(letter)
	second.ask("MAIL FROM:<a@x.example> SIZE=1000", "250")
	second.ask("QUIT", "221")
	second.WantEnd()
	first.ask("MAIL FROM:<a@x.example> SIZE=1000", "250")
}

func TestStrangersReserveNoRoom(t *testing.T) {
	t.Parallel()
	asked := make(chan int64, 10)
	f := start(t, func(c *Config) {
		c.Trusted = nil
		c.Room = func(n int64) error { asked <- n; return nil }
	})
	for range 2 {
		f.clear(0).ask("MAIL FROM:<a@x.example> SIZE=1000", "250")
		if n := <-asked; n != 0 {
			t.Fatalf("%d octets reserved", n)
		}
	}
}

func TestStoreThatIsNotReady(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Ready = func(context.Context) error { return errors.New("engine is latched") } })
	ref := f.clear(0).ask("MAIL FROM:<a@x.example>", "451 4.3.0 Temporary local problem (ref ")
	found := f.log.events(t, "refuse")
	if len(found) != 1 || found[0]["ref"] != ref || found[0]["cause"] != "engine is latched" || found[0]["level"] != "ERROR" {
		t.Fatalf("log %v", found)
	}
}

func TestSubmissionDemandsAuth(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.clear(2).ask("MAIL FROM:<a@x.example>", "530 5.7.0 Must issue a STARTTLS command first")
	f.starttls(2).ask("MAIL FROM:<a@x.example>", "530 5.7.0 Authentication required")
}

// TestOriginalRecipientOfAnyType: the type of an ORCPT is any atom (RFC 3461 §4.2), such as those of mail systems that
// were there before.
func TestOriginalRecipientOfAnyType(t *testing.T) {
	t.Parallel()
	f := start(t)
	for way, p := range ways(f) {
		p.ask("MAIL FROM:<a@x.example>", "250")
		p.ask("RCPT TO:<b@y.example> ORCPT=X400;/C+3DGB/S+3DBob+20B/ NOTIFY=FAILURE", "250")
		p.ask("RCPT TO:<c@y.example> NOTIFY=NEVER orcpt=System;bob;ORCPT", "250")
		p.ask("RCPT TO:<d@y.example> ORCPT=unknown;+2B", "250")
		p.ask("RCPT TO:<e@y.example> ORCPT=utf-8;d\\x{E9}@y.example", "250")
		for _, bad := range []string{"x400", ";x", "x400;", "x.400;a", "x(400;a", "x400;a=b", "x400;a+2", "x400;a+0Ab", "x400;" + strings.Repeat("o", 500)} {
			p.ask("RCPT TO:<b@y.example> ORCPT="+bad, "501 5.5.4")
		}
		p.message(letter)
		got := f.b.messages()
		var all []string
		for _, r := range got[len(got)-1].env.Rcpts {
			all = append(all, r.Address.Local+" "+r.ORcpt)
		}
		if want := "[b x400;/C=GB/S=Bob B/ c system;bob;ORCPT d unknown;+ e utf-8;d\u00e9@y.example]"; fmt.Sprint(all) != want {
			t.Errorf("%s: %v, want %s", way, all, want)
		}
	}
}
