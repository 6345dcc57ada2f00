package dkim_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	verifier "github.com/emersion/go-msgauth/dkim"

	"postern/smtpd/dkim"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rsaKey is made once: making one takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return key
}

// file writes a key to a folder of the test's.
func file(t testing.TB, text []byte, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "dkim.pem")
	must(t, os.WriteFile(name, text, 0o600))
	must(t, os.Chmod(name, mode))
	return name
}

const letter = "Received: from a by b; Mon, 2 Mar 2026 10:00:00 +0000\r\nFrom: Alice <alice@example.org>\r\nTo: bob@ext.example\r\n" +
	"Subject: Plans\r\n for   Monday\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nHello  \r\n\r\n\r\n"

func source(text string) func() (io.Reader, error) {
	return func() (io.Reader, error) { return strings.NewReader(text), nil }
}

// verify checks all signatures of a message against what the keys would publish.
func verify(t testing.TB, k *dkim.Keys, message string) (good int, problems []error) {
	t.Helper()
	published := map[string][]string{}
	for _, r := range k.Records() {
		published[r.Name] = append(published[r.Name], r.Value)
	}
	found, err := verifier.VerifyWithOptions(strings.NewReader(message), &verifier.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			if txt := published[name]; txt != nil {
				return txt, nil
			}
			return nil, fmt.Errorf("nothing at %s", name)
		},
	})
	must(t, err)
	for _, v := range found {
		if v.Err != nil {
			problems = append(problems, v.Err)
		} else {
			good++
		}
	}
	return good, problems
}

// TestSignaturesVerify signs with both kinds of keys and looks at what may happen to a message on its way (MAIL 6.9).
func TestSignaturesVerify(t *testing.T) {
	t.Parallel()
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey())})
	k, err := dkim.Load([]dkim.Key{
		{Domain: "example.org", Selector: "r1", File: file(t, pkcs8(t, rsaKey()), 0o600)},
		{Domain: "Example.ORG", Selector: "e1", File: file(t, pkcs8(t, edKey(t)), 0o400)},
		{Domain: "bücher.example", Selector: "a.b", File: file(t, pkcs1, 0o600)},
	})
	must(t, err)
	fields, err := k.Sign("EXAMPLE.org", source(letter))
	must(t, err)
	signed := string(fields) + letter
	if good, problems := verify(t, k, signed); good != 2 || len(problems) != 0 {
		t.Fatalf("%d signatures hold, %v:\n%s", good, problems, signed)
	}
	for _, want := range []string{"a=rsa-sha256", "a=ed25519-sha256", "c=relaxed/relaxed", "d=example.org", "s=r1", "s=e1"} {
		if !strings.Contains(string(fields), want) {
			t.Errorf("no %s in\n%s", want, fields)
		}
	}
	if strings.Contains(string(fields), " l=") || strings.Count(string(fields), "DKIM-Signature:") != 2 || !strings.HasSuffix(string(fields), "\r\n") {
		t.Errorf("fields:\n%s", fields)
	}
	for what, changed := range map[string]string{
		"blanks and line ends": strings.NewReplacer("for   Monday", "for Monday", "Hello  \r\n\r\n\r\n", "Hello \r\n").Replace(signed),
		"a field before it":    "Received: from b by c; Mon, 2 Mar 2026 10:00:01 +0000\r\n" + signed,
	} {
		if good, problems := verify(t, k, changed); good != 2 {
			t.Errorf("%s: %v", what, problems)
		}
	}
	for what, changed := range map[string]string{
		"text":             strings.Replace(signed, "Hello", "Hallo", 1),
		"text added":       signed + "More\r\n",
		"subject":          strings.Replace(signed, "Plans", "Money", 1),
		"a second subject": strings.Replace(signed, "Subject:", "Subject: Money\r\nSubject:", 1),
		"a second From":    strings.Replace(signed, "From: Alice", "From: eve@example.org\r\nFrom: Alice", 1),
		"Cc added":         strings.Replace(signed, "Subject:", "Cc: eve@ext.example\r\nSubject:", 1),
		"Reply-To added":   strings.Replace(signed, "Subject:", "Reply-To: eve@ext.example\r\nSubject:", 1),
		"type added":       strings.Replace(signed, "Subject:", "Content-Type: text/html\r\nSubject:", 1),
		"absence marked":   strings.Replace(signed, "Subject:", "Auto-Submitted: no\r\nSubject:", 1),
	} {
		if good, _ := verify(t, k, changed); good != 0 {
			t.Errorf("%s: %d signatures still hold", what, good)
		}
	}
	fields, err = k.Sign("xn--bcher-kva.example", source(letter))
	must(t, err)
	if good, problems := verify(t, k, string(fields)+letter); good != 1 {
		t.Errorf("international domain: %v\n%s", problems, fields)
	}
}

func TestCoversExactlyItsDomains(t *testing.T) {
	t.Parallel()
	k, err := dkim.Load([]dkim.Key{{Domain: "example.org", Selector: "e1", File: file(t, pkcs8(t, edKey(t)), 0o600)}})
	must(t, err)
	var none *dkim.Keys
	for domain, want := range map[string]bool{"example.org": true, "EXAMPLE.org": true, "sub.example.org": false, "org": false, "": false, "ample.org": false} {
		if k.Covers(domain) != want || none.Covers(domain) {
			t.Errorf("%s: covered %v, want %v", domain, k.Covers(domain), want)
		}
		fields, err := k.Sign(domain, source(letter))
		if err != nil || (len(fields) > 0) != want {
			t.Errorf("%s: %q, %v", domain, fields, err)
		}
	}
	if fields, err := none.Sign("example.org", source(letter)); err != nil || fields != nil || none.Records() != nil {
		t.Errorf("without keys: %q, %v", fields, err)
	}
}

// TestWhatCannotBeSigned: a message without an empty line behind its header has no signature; one that cannot be read is
// the reader's trouble.
func TestWhatCannotBeSigned(t *testing.T) {
	t.Parallel()
	k, err := dkim.Load([]dkim.Key{{Domain: "example.org", Selector: "e1", File: file(t, pkcs8(t, edKey(t)), 0o600)}})
	must(t, err)
	if _, err := k.Sign("example.org", source("From: alice@example.org\r\nSubject: x\r\n")); !errors.Is(err, dkim.ErrUnsignable) {
		t.Errorf("no empty line: %v", err)
	}
	broken := errors.New("disk on fire")
	for name, rewind := range map[string]func() (io.Reader, error){
		"at the beginning": func() (io.Reader, error) { return nil, broken },
		"in the header":    func() (io.Reader, error) { return iotest.ErrReader(broken), nil },
		"in the body": func() (io.Reader, error) {
			return io.MultiReader(strings.NewReader(letter), iotest.ErrReader(broken)), nil
		},
	} {
		if _, err := k.Sign("example.org", rewind); !errors.Is(err, broken) || errors.Is(err, dkim.ErrUnsignable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestProblemsAreSaidAtOnce: every wrong key by its place, and no key in the text.
func TestProblemsAreSaidAtOnce(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	ed := edKey(t)
	good := file(t, pkcs8(t, ed), 0o600)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: ed.Public().(ed25519.PublicKey)})
	k, err := dkim.Load([]dkim.Key{
		{Domain: "not a domain", Selector: "s", File: good},
		{Domain: "[192.0.2.1]", Selector: "s", File: good},
		{Domain: "example.org", Selector: "two words", File: good},
		{Domain: "example.org", Selector: "", File: good},
		{Domain: "example.org", Selector: "s", File: filepath.Join(t.TempDir(), "missing.pem")},
		{Domain: "example.org", Selector: "s", File: file(t, pkcs8(t, ed), 0o640)},
		{Domain: "example.org", Selector: "s", File: file(t, []byte("no PEM"), 0o600)},
		{Domain: "example.org", Selector: "s", File: file(t, public, 0o600)},
		{Domain: "example.org", Selector: "s", File: file(t, pkcs8(t, small), 0o600)},
		{Domain: "example.org", Selector: "s", File: file(t, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600)},
		{Domain: "example.org", Selector: "s", File: good},
		{Domain: "EXAMPLE.org", Selector: "s", File: good},
	})
	if err == nil {
		t.Fatal("all of this loads")
	}
	got := strings.Split(err.Error(), "\n")
	want := []string{
		`dkim[0]: domain: "not a domain" is not a domain`, `dkim[1]: domain: "[192.0.2.1]"`, `dkim[2]: selector: "two words"`, `dkim[3]: selector: ""`,
		"dkim[4]: key_file: ", "dkim[5]: key_file: ", "dkim[6]: key_file: ", "dkim[7]: key_file: ", "dkim[8]: key_file: ", "dkim[9]: key_file: ",
		`dkim[11]: selector "s" of example.org stands there twice`,
	}
	says := []string{"", "", "", "", "no such file", "mode 0640: others may read it", "no PEM block", "holds a PUBLIC KEY", "1024 bits", "does not parse", ""}
	if len(got) != len(want) {
		t.Fatalf("%d problems, want %d:\n%v", len(got), len(want), err)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) || !strings.Contains(got[i], says[i]) {
			t.Errorf("%q, want %q … %q", got[i], want[i], says[i])
		}
	}
	if k.Covers("example.org") {
		t.Error("keys of a wrong configuration are in use")
	}
}

func TestRecordsAreReadyToPublish(t *testing.T) {
	t.Parallel()
	ed := edKey(t)
	k, err := dkim.Load([]dkim.Key{
		{Domain: "example.org", Selector: "r1", File: file(t, pkcs8(t, rsaKey()), 0o600)}, {Domain: "example.org", Selector: "e1", File: file(t, pkcs8(t, ed), 0o600)},
	})
	must(t, err)
	records := k.Records()
	if len(records) != 2 || records[0].Name != "r1._domainkey.example.org" || !strings.HasPrefix(records[0].Value, "v=DKIM1; k=rsa; p=MII") {
		t.Fatalf("%+v", records)
	}
	line := records[0].String()
	var joined string
	for _, part := range strings.Split(line, `"`)[1:] {
		if part != " " {
			joined += part
		}
		if len(part) > 255 {
			t.Errorf("a string of %d octets", len(part))
		}
	}
	if joined != records[0].Value || !strings.HasPrefix(line, "r1._domainkey.example.org. IN TXT \"") {
		t.Errorf("%s", line)
	}
	if s := records[1].String(); strings.Count(s, `"`) != 2 || !strings.Contains(s, "k=ed25519; p=") {
		t.Errorf("%s", s)
	}
}

// TestChangedKeysAreReadAnew: a new key takes over without a restart; a broken one leaves the old in use and is told of.
func TestChangedKeysAreReadAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		name := file(t, pkcs8(t, edKey(t)), 0o600)
		k, err := dkim.Load([]dkim.Key{{Domain: "example.org", Selector: "e1", File: name}})
		must(t, err)
		first := k.Records()[0]
		var log bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); k.Watch(ctx, slog.New(slog.NewTextHandler(&log, nil))) }()
		year := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		write := func(text []byte, mode os.FileMode) {
			must(t, os.WriteFile(name, text, mode))
			must(t, os.Chmod(name, mode))
			year = year.Add(time.Hour)
			must(t, os.Chtimes(name, year, year))
			time.Sleep(61 * time.Second)
			synctest.Wait()
		}
		write([]byte("broken"), 0o600)
		if k.Records()[0] != first || !strings.Contains(log.String(), "the old ones stay") {
			t.Errorf("after a broken file: %s", log.String())
		}
		write(pkcs8(t, edKey(t)), 0o600)
		second := k.Records()[0]
		if second == first || !strings.Contains(log.String(), "DKIM keys reloaded") {
			t.Errorf("after a new key: %s", log.String())
		}
		lines := strings.Count(log.String(), "\n")
		time.Sleep(time.Hour)
		synctest.Wait()
		if strings.Count(log.String(), "\n") != lines {
			t.Errorf("nothing changed, and the log says:\n%s", log.String())
		}
		stop()
		<-done
		if strings.Contains(log.String(), "PRIVATE") {
			t.Error("the log has a key")
		}
	})
}
