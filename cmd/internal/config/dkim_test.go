package config

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func newKeyFile(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "dkim.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestDKIMInWords: config check prints what to publish, and says which mail leaves unsigned (MAIL 6.9).
func TestDKIMInWords(t *testing.T) {
	file := newKeyFile(t)
	key := func(domain string) string {
		return fmt.Sprintf("dkim: [{domain: %s, selector: s1, key_file: %q}]", domain, file)
	}
	signing := strings.Replace(small, `host: "127.0.0.1:2600"`, `host: "127.0.0.1:2600", dkim_sign: true`, 1)
	if signing == small {
		t.Fatal("the sample has no such route")
	}
	for name, tt := range map[string]struct {
		yaml      string
		say, hush []string
	}{
		"no key": {small, []string{"no key in dkim covers example.org, the domain of notify.from"}, []string{"Signed with DKIM", "published"}},
		"a key": {small + key("example.org"), []string{"Signed with DKIM: the mail that Postern writes from addresses of example.org.",
			`To be published in DNS: s1._domainkey.example.org. IN TXT "v=DKIM1; k=ed25519; p=`}, []string{"no key in dkim", "passes through"}},
		"a key of another domain": {signing + key("other.example"), []string{"s1._domainkey.other.example", "no key in dkim covers example.org, the domain of notify.from",
			"relay.routes[0].dkim_sign: no key in dkim covers example.org", "passes through to *"}, []string{"organization.postmaster"}},
		"reports from elsewhere": {strings.Replace(small, "domains: [example.org", "postmaster: pm@it.example, domains: [example.org", 1) + key("example.org"),
			[]string{"no key in dkim covers it.example, the domain of organization.postmaster"}, []string{"notify.from:"}},
	} {
		c, problems := load(t, tt.yaml)
		if problems != nil {
			t.Fatalf("%s: %v", name, problems)
		}
		words := c.InWords()
		for _, want := range tt.say {
			if !strings.Contains(words, want) {
				t.Errorf("%s: %q is missing in:\n%s", name, want, words)
			}
		}
		for _, no := range tt.hush {
			if strings.Contains(words, no) {
				t.Errorf("%s: %q stands in:\n%s", name, no, words)
			}
		}
	}
}

func TestDKIMProblemsAreNamed(t *testing.T) {
	signing := strings.Replace(small, `host: "127.0.0.1:2600"`, `host: "127.0.0.1:2600", dkim_sign: true`, 1)
	if _, problems := load(t, signing); !strings.Contains(strings.Join(problems, "\n"), "relay.routes[0].dkim_sign: there is no key to sign with") {
		t.Errorf("signing without a key: %v", problems)
	}
	file := newKeyFile(t)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	_, problems := load(t, small+fmt.Sprintf("dkim: [{domain: example.org, selector: s1, key_file: %q}, {domain: example.org, selector: s2, key_file: /nowhere}, {domain: x, selecter: s}]", file))
	text := strings.Join(problems, "\n")
	for _, want := range []string{"dkim[0]: key_file: ", "mode 0644: others may read it", "dkim[1]: key_file: ", "dkim[2].selecter: there is no such key"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}
