package dsn_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/smtpd/dsn"
	"postern/store"
)

var update = flag.Bool("update", false, "rewrite golden files")

func address(t *testing.T, s string) store.Address {
	t.Helper()
	a, err := store.ParseAddress(s)
	if err != nil {
		t.Fatalf("address %q: %v", s, err)
	}
	return a
}

func messageID(t *testing.T, n byte) store.MessageID {
	t.Helper()
	var id store.MessageID
	for i := range id {
		id[i] = n
	}
	return id
}

const header = "Received: from [10.0.0.5] by filter.example.org with ESMTP id 77;\r\n\tSat, 21 Nov 2026 10:00:00 +0000\r\n" +
	"From: Alice Example <alice@example.org>\r\nTo: bob@ext.example\r\nSubject: Quarterly figures\r\n" +
	"Date: Sat, 21 Nov 2026 11:00:00 +0100\r\nMessage-ID: <fig-1@example.org>\r\nMIME-Version: 1.0\r\n"

// report is a failed delivery of mail that passes through; tests change it.
func report(t *testing.T) dsn.Report {
	t.Helper()
	zone := time.FixedZone("CET", 3600)
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	return dsn.Report{
		Kind: dsn.Failed, Host: "gw.example.org", Postmaster: address(t, "postmaster@example.org"), OrgName: "Example Ltd",
		Now: at.Add(3 * time.Minute), Zone: zone, To: address(t, "alice@example.org"), EnvID: "QQ314159", Arrived: at,
		ID: messageID(t, 1), Item: messageID(t, 2), MessageID: "<report@gw.example.org>",
		Rcpts: []dsn.Rcpt{{
			Final: address(t, "bob@ext.example"), ORcpt: "rfc822;Bob@ext.example", Status: "5.1.1",
			Diagnostic: "smtp; 550 5.1.1 <bob@ext.example>: Recipient address rejected: User unknown in virtual mailbox table",
			RemoteMTA:  "mx.ext.example", LastAttempt: at.Add(2 * time.Minute), WillRetryUntil: at.Add(120 * time.Hour),
		}},
		Original: dsn.Original{Header: []byte(header + "\r\n")},
	}
}

func excerpt() *store.Excerpt {
	return &store.Excerpt{
		From: "Ålice Example <alice@example.org>", To: "bob@ext.example", Subject: "[secure] =?utf-8?q?Geh=C3=A4lter?= 2026 für alle",
		Date: "Sat, 21 Nov 2026 11:00:00 +0100", MessageID: "<fig-1@example.org>",
	}
}

func german() dsn.Phrases {
	p := dsn.English()
	p.SubjectFailed = "Ihre Nachricht wurde nicht zugestellt, obwohl es über fünf Tage lang immer wieder versucht wurde"
	p.Failed = "Ihre Nachricht erreichte die unten genannten Empfänger nicht. Es wird nicht weiter versucht."
	p.NoSuchAddress = "Die Adresse gibt es nicht. Prüfen Sie die Schreibweise."
	p.Answer = "Antwort von %s:"
	return p
}

// reports are the golden cases; each is a file in testdata that a person can read.
func reports(t *testing.T) map[string]func() (dsn.Report, dsn.Phrases) {
	with := func(f func(*dsn.Report)) func() (dsn.Report, dsn.Phrases) {
		return func() (dsn.Report, dsn.Phrases) {
			r := report(t)
			f(&r)
			return r, dsn.English()
		}
	}
	second := dsn.Rcpt{Final: address(t, "carol@ext.example"), Status: "5.4.7", Diagnostic: "x-postern; connection to mx.ext.example timed out"}
	return map[string]func() (dsn.Report, dsn.Phrases){
		"failed":     with(func(*dsn.Report) {}),
		"failed-two": with(func(r *dsn.Report) { r.Rcpts = append(r.Rcpts, second) }),
		"failed-full": with(func(r *dsn.Report) {
			r.Original = dsn.Original{Message: []byte(header + "\r\nHello Bob,\r\n.\r\n" + strings.Repeat("long line ", 20) + "\r\n")}
		}),
		"failed-full-8bit": with(func(r *dsn.Report) { r.Original = dsn.Original{Message: []byte(header + "\r\nGrüße\r\n")} }),
		"delayed": with(func(r *dsn.Report) {
			r.Kind, r.Rcpts[0].Status, r.Rcpts[0].Diagnostic = dsn.Delayed, "4.4.1", "x-postern; connection to mx.ext.example:25 refused"
		}),
		"relayed": with(func(r *dsn.Report) {
			r.Kind, r.Rcpts[0].Status, r.Rcpts[0].Diagnostic = dsn.Relayed, "2.0.0", "smtp; 250 2.0.0 Ok: queued as 4XyZ"
		}),
		"sealed-inside": with(func(r *dsn.Report) { r.Original = dsn.Original{Excerpt: excerpt(), Header: []byte(header)} }),
		"sealed-outside": with(func(r *dsn.Report) {
			r.To, r.Original = address(t, "list-bounces@lists.example"), dsn.Original{Excerpt: excerpt(), Outside: true}
		}),
		"nothing-returned": with(func(r *dsn.Report) {
			r.Original = dsn.Original{}
			r.Rcpts[0].Status, r.Rcpts[0].Diagnostic, r.Rcpts[0].Reason = "5.3.0", "", dsn.English().SendAgain
		}),
		"long": with(func(r *dsn.Report) {
			r.Original = dsn.Original{Header: []byte(header + "X-Long: " + strings.Repeat("x", 300) + "\r\nX-Raw: \xff\xfe\r\n")}
			r.Rcpts[0].Diagnostic = "smtp; 550 " + strings.Repeat("https://very.long.example/path/", 9) + " ümlaut"
			r.EnvID = strings.Repeat("envid+", 10)
		}),
		"escaped-address": with(func(r *dsn.Report) {
			r.Rcpts[0].Final, r.Rcpts[0].ORcpt = address(t, "bücher@bücher.example"), "utf-8;bücher@bücher.example"
		}),
		"global": with(func(r *dsn.Report) {
			r.UTF8, r.To, r.Postmaster = true, address(t, "älice@example.org"), address(t, "postmaster@example.org")
			r.Rcpts[0].Final, r.Rcpts[0].ORcpt = address(t, "bücher@bücher.example"), "utf-8;bücher@bücher.example"
			r.Original = dsn.Original{Header: []byte("From: älice@example.org\r\nMessage-ID: <fig-1@example.org>\r\n\r\n")}
		}),
		"german": func() (dsn.Report, dsn.Phrases) { return report(t), german() },
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, make := range reports(t) {
		t.Run(name, func(t *testing.T) {
			own, err := dsn.Compose(make())
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".eml")
			if *update {
				if err := os.WriteFile(file, own.Raw, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(own.Raw, want) {
				t.Errorf("differs from %s:\n%s", file, own.Raw)
			}
		})
	}
}

// TestEveryReportIsWellFormed checks what holds for all of them: MAIL 6.1 on the wire, and the structure of RFC 6522.
func TestEveryReportIsWellFormed(t *testing.T) {
	t.Parallel()
	for name, make := range reports(t) {
		t.Run(name, func(t *testing.T) {
			r, p := make()
			own, err := dsn.Compose(r, p)
			if err != nil {
				t.Fatal(err)
			}
			width := 76
			if len(r.Original.Message) > 0 {
				width = 998 // returned as it is
			}
			checkWire(t, own.Raw, width)
			if !r.UTF8 {
				checkASCII(t, own.Raw)
			}
			checkStructure(t, r, own)
		})
	}
}

func checkWire(t *testing.T, raw []byte, width int) {
	t.Helper()
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		t.Error("does not end with CRLF")
	}
	for line := range strings.SplitSeq(string(raw), "\r\n") {
		if strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("bare CR, LF or NUL in %q", line)
		}
		if len(line) > width {
			t.Errorf("line of %d octets: %q", len(line), line)
		}
	}
}

func checkASCII(t *testing.T, raw []byte) {
	t.Helper()
	if i := bytes.IndexFunc(raw, func(c rune) bool { return c >= 0x80 }); i >= 0 {
		t.Errorf("not ASCII: %q", raw[i:min(i+20, len(raw))])
	}
}

func checkStructure(t *testing.T, r dsn.Report, own store.OwnMail) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(own.Raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" {
		t.Fatalf("content type %q: %v", kind, err)
	}
	if got := m.Header.Get("Auto-Submitted"); got != "auto-replied" {
		t.Errorf("Auto-Submitted: %q", got)
	}
	if own.From != nil {
		t.Errorf("sender is %v, not null", own.From)
	}
	if got := m.Header.Get("X-Postern-ID"); got != r.ID.String() {
		t.Errorf("X-Postern-ID: %q", got)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	var kinds []string
	for {
		p, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		k, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, k)
	}
	status := "message/" + params["report-type"]
	if len(kinds) < 2 || kinds[0] != "text/plain" || kinds[1] != status {
		t.Errorf("parts %q, want text/plain, %s, ...", kinds, status)
	}
}

// TestSealedMailReturnsFiveFields holds MAIL 6.6: what a report says of a sealed message, and when it must have TLS.
func TestSealedMailReturnsFiveFields(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		outside bool
		subject bool
	}{{"sender inside", false, true}, {"sender outside", true, false}} {
		t.Run(tc.name, func(t *testing.T) {
			r := report(t)
			r.Original = dsn.Original{Excerpt: excerpt(), Header: []byte(header), Message: []byte(header + "\r\nsecret body\r\n"), Outside: tc.outside}
			own, err := dsn.Compose(r, dsn.English())
			if err != nil {
				t.Fatal(err)
			}
			raw := string(own.Raw)
			if got := strings.Contains(raw, "Geh=C3=A4lter") || strings.Contains(raw, "secure]"); got != tc.subject {
				t.Errorf("subject shown: %v, want %v\n%s", got, tc.subject, raw)
			}
			if own.NeedTLS != tc.subject {
				t.Errorf("NeedTLS %v, want %v", own.NeedTLS, tc.subject)
			}
			for _, leak := range []string{"secret body", "Quarterly", "filter.example.org", "MIME-Version: 1.0\r\n\r\nsecret"} {
				if strings.Contains(raw, leak) {
					t.Errorf("report shows %q", leak)
				}
			}
			if !strings.Contains(raw, "In-Reply-To: <fig-1@example.org>") {
				t.Error("does not answer the original")
			}
		})
	}
}

func TestReasonsFollowStatus(t *testing.T) {
	t.Parallel()
	p := dsn.English()
	for status, want := range map[string]string{
		"5.1.1": p.NoSuchAddress, "5.1.10": p.NoSuchAddress, "5.2.1": p.Disabled, "4.2.2": p.MailboxFull, "5.2.2": p.MailboxFull,
		"5.2.3": p.TooLarge, "5.3.4": p.TooLarge, "5.4.4": p.NoRoute, "5.4.7": p.GaveUp, "4.4.1": p.NoAnswer, "5.6.3": p.EightBit,
		"5.6.7": p.AddressText, "5.6.0": p.Content, "4.7.10": p.NeedsTLS, "5.7.1": p.Policy, "5.0.0": p.Refused, "4.3.2": p.NotNow,
		"2.0.0": p.PassedOn, "": p.NotNow,
	} {
		r := report(t)
		r.Rcpts[0].Status, r.Rcpts[0].Diagnostic = status, ""
		own, err := dsn.Compose(r, p)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(string(own.Raw)), " ")
		if !strings.Contains(text, want) {
			t.Errorf("status %q: no %q in\n%s", status, want, own.Raw)
		}
	}
}

// TestRemoteTextStaysInItsField feeds values with line ends: nothing may begin a field or a part of its own.
func TestRemoteTextStaysInItsField(t *testing.T) {
	t.Parallel()
	r := report(t)
	evil := "x\r\nEvil: yes\r\n\r\n--=_postern_" + r.Item.String() + "--\r\n"
	r.EnvID, r.Rcpts[0].Diagnostic, r.Rcpts[0].RemoteMTA, r.Rcpts[0].ORcpt = evil, "smtp; "+evil, evil, "rfc822;"+evil
	r.Original = dsn.Original{Excerpt: &store.Excerpt{From: evil, To: evil, Subject: evil, Date: evil, MessageID: evil}}
	own, err := dsn.Compose(r, dsn.English())
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, own.Raw, 998)
	checkASCII(t, own.Raw)
	for line := range strings.SplitSeq(string(own.Raw), "\r\n") {
		if strings.HasPrefix(line, "Evil:") {
			t.Errorf("a value became a field:\n%s", own.Raw)
		}
	}
	if n := bytes.Count(own.Raw, []byte("\r\n--=_postern_")); n != 4 {
		t.Errorf("%d boundary lines, want 4:\n%s", n, own.Raw)
	}
}

func TestIncompleteReportIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*dsn.Report){
		"kind": func(r *dsn.Report) { r.Kind = "lost" }, "host": func(r *dsn.Report) { r.Host = "" },
		"sender": func(r *dsn.Report) { r.To = store.Address{} }, "recipients": func(r *dsn.Report) { r.Rcpts = nil },
		"postmaster": func(r *dsn.Report) { r.Postmaster = store.Address{} },
	} {
		r := report(t)
		spoil(&r)
		if _, err := dsn.Compose(r, dsn.English()); !errors.Is(err, dsn.ErrReport) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestReportHasItsOwnIdentity(t *testing.T) {
	t.Parallel()
	r := report(t)
	r.Item, r.MessageID, r.GiveUp = store.MessageID{}, "", time.Time{}
	one, err := dsn.Compose(r, dsn.English())
	if err != nil {
		t.Fatal(err)
	}
	two, err := dsn.Compose(r, dsn.English())
	if err != nil {
		t.Fatal(err)
	}
	if one.ID == two.ID || one.ID.IsZero() || bytes.Equal(one.Raw, two.Raw) {
		t.Error("two reports share an id")
	}
	if !one.GiveUp.After(one.At) {
		t.Errorf("gives up at %v, made at %v", one.GiveUp, one.At)
	}
}
