package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// install writes the signer's keys to files and into the configuration.
func (d dkimSigner) install(tr *trial) {
	tr.t.Helper()
	var keys []string
	for selector, key := range d.keys {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			tr.t.Fatal(err)
		}
		name := filepath.Join(tr.dir, selector+".pem")
		writeFile(tr.t, name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
		keys = append(keys, fmt.Sprintf("{domain: example.org, selector: %s, key_file: %q}", selector, name))
	}
	tr.extra += "\ndkim: [" + strings.Join(keys, ", ") + "]\n"
}

// TestDKIMSignsWhatPosternWrites: a verifier that knows the published records takes every mail of ours for genuine, as it
// came over the wire: notification, report, reply from the site (MAIL 6.9). Mail that passes through is signed where the
// route says so and its author is of the organisation, and is otherwise octet for octet as it came (MAIL 6.10, I6).
func TestDKIMSignsWhatPosternWrites(t *testing.T) {
	t.Parallel()
	signer := newDKIMSigner(t)
	tr := newTrial(t, "")
	behind := tr.server("8BITMIME")
	behind.say = func(line string) string {
		if strings.HasPrefix(line, "RCPT TO:<nobody@") {
			return "550 5.1.1 no such user"
		}
		return ""
	}
	signer.install(tr)
	tr.also(func(config string) string {
		return strings.Replace(config, `routes: [`, fmt.Sprintf(`routes: [{domains: ["signed.example"], host: %q, tls: none, dkim_sign: true}, `, behind.addr), 1)
	})
	check := tr.must("config", "check")
	for name, txt := range signer.records {
		wantParts(t, strings.ReplaceAll(check, `" "`, ""), "To be published in DNS: "+name+`. IN TXT "`+txt[0]+`"`)
	}
	wantParts(t, check, "Signed with DKIM: the mail that Postern writes from addresses of example.org.", "passes through to signed.example")
	if strings.Contains(check, "no key in dkim covers") {
		t.Errorf("config check:\n%s", check)
	}
	tr.start()

	flagged := letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] Plans", "<s@example.org>", "")
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, flagged)
	note := behind.await(t, "bob@ext.example", "X-Postern-Origin: v1 notification")
	signer.verify(t, "notification", note.raw)

	tr.send(t, "alice@example.org", []string{"nobody@ext.example"}, letterText("Alice <alice@example.org>", "nobody@ext.example", "Plain", "<p@example.org>", ""))
	signer.verify(t, "report", behind.await(t, "alice@example.org", "Action: failed").raw)

	bob := tr.person()
	message := bob.register(tr.link(note.captured()))
	id := message.url[strings.LastIndex(message.url, "/")+1:]
	bob.postFiles("/m/"+id+"/reply", [][2]string{{"text", "Noon it is."}}, upload{"answer.txt", "text/plain", []byte("attached answer")})
	signer.verify(t, "reply", behind.await(t, "alice@example.org", "X-Postern-Kind: reply").raw)

	plain := letterText("Alice <alice@example.org>", "x@signed.example", "Figures", "<f@example.org>", "")
	foreign := letterText("Eve <eve@ext.example>", "y@signed.example", "Figures", "<g@ext.example>", "")
	tr.send(t, "alice@example.org", []string{"x@signed.example"}, plain)
	tr.send(t, "eve@ext.example", []string{"y@signed.example"}, foreign)
	tr.send(t, "alice@example.org", []string{"z@ext.example"}, plain)
	passed := behind.await(t, "x@signed.example").raw
	signer.verify(t, "passed through", passed)
	before, rest, _ := bytes.Cut(passed, []byte("Received: "))
	if _, message, _ := bytes.Cut(rest, []byte("+0000\r\n")); !bytes.Equal(message, plain) || bytes.Count(before, []byte("DKIM-Signature:")) != 2 {
		t.Errorf("passed through as\n%s", passed)
	}
	for to, raw := range map[string][]byte{"y@signed.example": foreign, "z@ext.example": plain} {
		if got := behind.await(t, to).raw; bytes.Contains(got, []byte("DKIM-Signature")) || !bytes.HasSuffix(got, raw) {
			t.Errorf("to %s:\n%s", to, got)
		}
	}
	metrics := tr.metrics(t)
	wantParts(t, metrics, `postern_dkim_signatures_total{domain="example.org",result="signed"} `)
	// What alarms look at is there before the first event: from nothing to 1 is no increase.
	wantParts(t, metrics, "\npostern_double_bounces_total{kind=\"notification\"} 0\n", "\npostern_double_bounces_total{kind=\"relay\"} 0\n")
	if !strings.Contains(metrics, `postern_dkim_signatures_total{domain="example.org",result="failed"} 0`+"\n") {
		t.Error("a signature failed")
	}
	if log := tr.log.String(); strings.Contains(log, "no key in dkim") {
		t.Error("the start warns of a domain that is covered")
	}
}

// TestDKIMStartSaysWhatIsUnsigned: whoever starts without a key reads in the log that mail leaves unsigned (MAIL 6.9).
func TestDKIMStartSaysWhatIsUnsigned(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	eventually(t, "the log names the domain", func() bool {
		return strings.Contains(tr.log.String(), "no key in dkim covers example.org, the domain of notify.from")
	})
}
