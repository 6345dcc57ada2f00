package intake

import (
	"strings"
	"testing"
	"time"

	"postern/store"
	"postern/store/mail"
)

func TestReceivedField(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	bob := store.Rcpt{Address: store.Address{Local: "bob", Domain: "ext.example"}}
	eve := store.Rcpt{Address: store.Address{Local: "eve", Domain: "ext.example"}}
	id := store.MessageID{1}
	tests := []struct {
		name   string
		client store.Client
		rcpts  []store.Rcpt
		utf8   bool
		want   string
	}{
		{"clear", store.Client{Helo: "mx.example.org", IP: "192.0.2.1", ESMTP: true}, []store.Rcpt{bob}, false,
			"from mx.example.org ([192.0.2.1]) by gw.example.org (Postern) with ESMTP id " + id.String() + " for <bob@ext.example>; Mon, 2 Mar 2026 10:00:00 +0000"},
		{"two recipients: no for", store.Client{Helo: "mx.example.org", IP: "192.0.2.1", ESMTP: true, TLS: "TLS1.3"}, []store.Rcpt{bob, eve}, false,
			"from mx.example.org ([192.0.2.1]) by gw.example.org (Postern) with ESMTPS id " + id.String() + "; Mon, 2 Mar 2026 10:00:00 +0000"},
		{"authenticated, IPv6, name", store.Client{Helo: "pc", IP: "2001:db8::1", RDNS: "pc.example.org", ESMTP: true, TLS: "TLS1.3", User: "ann"}, []store.Rcpt{bob}, true,
			"from pc (pc.example.org [IPv6:2001:db8::1]) by gw.example.org (Postern) with UTF8SMTPSA id " + id.String() + " for <bob@ext.example>; Mon, 2 Mar 2026 10:00:00 +0000"},
		{"HELO", store.Client{Helo: "old", IP: "192.0.2.1"}, []store.Rcpt{bob}, false,
			"from old ([192.0.2.1]) by gw.example.org (Postern) with SMTP id " + id.String() + " for <bob@ext.example>; Mon, 2 Mar 2026 10:00:00 +0000"},
		{"site", store.Client{Class: store.ClientSite, IP: "192.0.2.1"}, []store.Rcpt{bob}, false,
			"by gw.example.org (Postern) with HTTP id " + id.String() + "; Mon, 2 Mar 2026 10:00:00 +0000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := &job{in: &Intake{Config: Config{Host: "gw.example.org"}},
				env: store.Envelope{ID: id, At: at, Client: tt.client, Rcpts: tt.rcpts, UTF8: tt.utf8}}
			field := j.received()
			if !strings.HasSuffix(field, "\r\n") || strings.Contains(strings.ReplaceAll(field, "\r\n", ""), "\n") {
				t.Errorf("line ends of %q", field)
			}
			got := strings.Join(strings.Fields(strings.TrimPrefix(field, "Received:")), " ")
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestLoopIsRefused(t *testing.T) {
	in := &Intake{Config: Config{Host: "gw.example.org"}}
	own := "Received: from a by gw.example.org (Postern) with ESMTP id x; Mon, 2 Mar 2026 10:00:00 +0000\r\n"
	other := "Received: from a by mx.example.net with ESMTP id x for <by@gw.example.org>; Mon, 2 Mar 2026 10:00:00 +0000\r\n"
	for _, tt := range []struct {
		name   string
		header string
		loop   bool
	}{
		{"three times here is normal", strings.Repeat(own, 3) + strings.Repeat(other, 20), false},
		{"four times here", strings.Repeat(own, 4), true},
		{"a hundred hops", strings.Repeat(other, 100), false},
		{"a hundred and one", strings.Repeat(other, 101), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := in.checkLoop(mail.ParseHeader([]byte(tt.header + "Subject: x\r\n\r\n")))
			if (err != nil) != tt.loop {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestReceivedFieldIsASCIIWhereTheMailMayGoWithoutSMTPUTF8: a domain alone does not need the extension, so neither may
// the field that names it.
func TestReceivedFieldIsASCIIWhereTheMailMayGoWithoutSMTPUTF8(t *testing.T) {
	for rcpt, want := range map[store.Address]string{
		{Local: "bob", Domain: "bücher.example"}: "<bob@xn--bcher-kva.example>",
		{Local: "böb", Domain: "bücher.example"}: "<böb@bücher.example>",
		{Local: "Bob", Domain: "Books.example"}:  "<Bob@Books.example>",
	} {
		j := &job{in: &Intake{Config: Config{Host: "gw.example.org"}}, env: store.Envelope{
			Client: store.Client{Helo: "mx", IP: "192.0.2.1", ESMTP: true}, Rcpts: []store.Rcpt{{Address: rcpt}}, UTF8: true,
		}}
		if got := j.received(); !strings.Contains(got, "for "+want+";") {
			t.Errorf("%s: %q", rcpt, got)
		}
	}
}
