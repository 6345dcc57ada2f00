package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/viper"
)

const example = "../../../config.example.yaml"

func load(t *testing.T, text string, env ...string) (Config, Problems) {
	t.Helper()
	path := t.TempDir() + "/postern.yaml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, env)
	var p Problems
	if err != nil && !errors.As(err, &p) {
		t.Fatalf("not a list of problems: %v", err)
	}
	return c, p
}

const small = `
hostname: gw.example.org
organization: {name: Example, domains: [example.org, .example.net]}
relay: {routes: [{domains: ["*"], host: "127.0.0.1:2600"}]}
`

// TestExampleIsComplete compares the example with the struct: every key is in it, and it holds no other.
func TestExampleIsComplete(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	c, problems := load(t, string(text))
	if problems != nil {
		t.Fatal(problems)
	}
	v := viper.NewWithOptions(viper.KeyDelimiter("::"))
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	have := v.AllKeys()
	for _, key := range keys() {
		if !slices.Contains(have, key) {
			t.Errorf("config.example.yaml lacks %s", strings.ReplaceAll(key, "::", "."))
		}
	}
	routeType := reflect.TypeFor[Route]()
	last := v.Get("relay::routes").([]any)[1].(map[string]any)
	for i := range routeType.NumField() {
		if name := routeType.Field(i).Tag.Get("mapstructure"); last[name] == nil {
			t.Errorf("config.example.yaml lacks relay.routes[].%s", name)
		}
	}
	if c.Organization.ShortName != "the council" || len(c.Relay.Routes) != 2 {
		t.Errorf("read %+v", c)
	}
}

// TestExampleShowsDefaults compares the example's values with the defaults, where its line does not say otherwise.
func TestExampleShowsDefaults(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := load(t, string(text))
	d := Defaults()
	same := func(name string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the example says %v, the default is %v", name, got, want)
		}
	}
	same("smtp", c.SMTP, d.SMTP)
	same("relay.give_up", c.Relay.GiveUp, d.Relay.GiveUp)
	same("policy.tags", c.Policy.Tags, d.Policy.Tags)
	same("policy.thread_memory", c.Policy.ThreadMemory, d.Policy.ThreadMemory)
	same("policy.near_miss", c.Policy.NearMiss, d.Policy.NearMiss)
	same("policy.senders", c.Policy.Senders, d.Policy.Senders)
	same("pickup.expire_after", c.Pickup.ExpireAfter, d.Pickup.ExpireAfter)
	same("pickup.keep_logged_in", c.Pickup.KeepLoggedIn, d.Pickup.KeepLoggedIn)
	same("drain_timeout", c.DrainTimeout, d.DrainTimeout)
	same("ops", c.Ops, d.Ops)
	same("log", c.Log, d.Log)
}

func TestValuesThatDependOnOthers(t *testing.T) {
	c, problems := load(t, small)
	if problems != nil {
		t.Fatal(problems)
	}
	for _, x := range []struct{ name, got, want string }{
		{"notify.from", c.Notify.From, "securemail@example.org"},
		{"postmaster", c.Organization.Postmaster, "postmaster@example.org"},
		{"short name", c.Organization.ShortName, "Example"},
		{"ehlo", c.Relay.Ehlo, "gw.example.org"},
		{"server key", c.ServerKey, "./data/keys/server.key"},
		{"route tls", c.Relay.Routes[0].TLS, "opportunistic"},
	} {
		if x.got != x.want {
			t.Errorf("%s is %q, want %q", x.name, x.got, x.want)
		}
	}
}

func TestUnits(t *testing.T) {
	c, problems := load(t, small+"\nsmtp: {max_message_size: 35MiB}\npickup: {expire_after: 1d12h}\n")
	if problems != nil || c.SMTP.MaxMessageSize != 35<<20 || c.Pickup.ExpireAfter != 36*time.Hour {
		t.Fatal(c.SMTP.MaxMessageSize, c.Pickup.ExpireAfter, problems)
	}
	for _, text := range []string{"0", "1", "999", "1kB", "1KiB", "10MB", "35MiB", "2GiB", "3GB"} {
		if size, err := ParseSize(text); err != nil || size.String() != text {
			t.Errorf("size %s reads back as %s (%v)", text, size, err)
		}
	}
	for _, bad := range []string{"30", "-1d", "1y", "", "d", "1d-2h"} {
		if d, err := ParseDuration(bad); err == nil {
			t.Errorf("duration %q was read as %s", bad, d)
		}
	}
	for _, bad := range []string{"", "MiB", "-1MiB", "1XiB", "999999999999TiB"} {
		if s, err := ParseSize(bad); err == nil {
			t.Errorf("size %q was read as %d", bad, s)
		}
	}
}

// TestAllProblemsAtOnce: an administrator must not mend a file error by error.
func TestAllProblemsAtOnce(t *testing.T) {
	_, problems := load(t, `
hostname: ""
organisation: {name: Typo}
smtp: {lisen: ["x"], trusted_networks: ["10.0.0.0/8", "0.0.0.0/0", "40.107.1.0/24"], max_message_size: lots}
relay:
  give_up: 5y
  routes:
    - {domains: ["*"], mx: true}
    - {domains: ["a.example"], host: "127.0.0.1:2525", hots: "x", tls: sometimes}
    - {domains: ["b.example"], host: "h:25", auth: {user: u, password_file: f}}
    - {domains: ["c.example"], host: "h:25", tls: required, auth: {user: u, password_file: f}}
policy: {tags: [secure], rules: [{name: r, action: explode}]}
pickup: {url: "http://mail.example.org/path", first_access: letter, recovery: by-telephone, language: tlh}
store: {engine: sqlite}
`, "POSTERN_SMTP_LISSEN=x")
	text := strings.Join(problems, "\n")
	for _, want := range []string{
		"hostname:", "organisation: there is no such key", "smtp.lisen: there is no such key", "smtp.trusted_networks[1]", "is everybody",
		"smtp.trusted_networks[2]", "shared mail cloud", "lots", "5y", "relay.routes[0].mx", "does not exist yet",
		"relay.routes[1].host", "loop", "relay.routes[1].hots", "relay.routes[1].tls", "relay.routes[2].auth: cannot read f", "relay.routes[3].auth: a password is sent only to a host whose certificate proves its name",
		"explode", "pickup.url", "pickup.first_access", "pickup.recovery", "pickup.language", "store.engine", "organization.name", "organization.domains",
		"POSTERN_SMTP_LISSEN",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no problem mentions %q in:\n%s", want, text)
		}
	}
}

func TestEnvironmentGoesBeforeTheFile(t *testing.T) {
	c, problems := load(t, small, "POSTERN_HOSTNAME=other.example.org", "POSTERN_SMTP_LISTEN=127.0.0.1:1,127.0.0.1:2",
		"POSTERN_ORGANIZATION_SUPPORT_PHONE=01632 960 001", "POSTERN_PICKUP_KEEP_LOGGED_IN=false", "HOME=/root", "POSTERN_TEST_REQUIRE=all")
	if problems != nil {
		t.Fatal(problems)
	}
	if c.Hostname != "other.example.org" || len(c.SMTP.Listen) != 2 || c.Organization.Support.Phone != "01632 960 001" || c.Pickup.KeepLoggedIn {
		t.Fatalf("%+v", c)
	}
}

func TestInternal(t *testing.T) {
	c, _ := load(t, small)
	for domain, want := range map[string]bool{
		"example.org": true, "EXAMPLE.org": true, "sub.example.org": false, "example.net": false, "a.example.net": true,
		"a.b.example.net": true, "badexample.net": false, "": false,
	} {
		if c.Internal(domain) != want {
			t.Errorf("%q: internal %t", domain, !want)
		}
	}
}

// TestShowReadsBack: what "config show" prints is a configuration with the same meaning.
func TestShowReadsBack(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := load(t, string(text))
	again, problems := load(t, c.YAML())
	if problems != nil {
		t.Fatalf("%v in\n%s", problems, c.YAML())
	}
	if c.YAML() != again.YAML() {
		t.Fatalf("differs:\n%s\n%s", c.YAML(), again.YAML())
	}
}

// TestShowHoldsNoSecret: what "config show" and the console's page print names the files of secrets and nothing in them,
// and there is no setting that would hold a secret itself.
func TestShowHoldsNoSecret(t *testing.T) {
	const canary = "canary-of-the-next-hop"
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := load(t, "hostname: gw.example.org\nrelay: {routes: [{domains: [\"*\"], hosts: [\"smart.example.net\"], tls: verified, "+
		"auth: {user: gateway, password_file: \""+password+"\"}}]}\ndkim: [{domain: example.org, selector: gw, key_file: \""+newKeyFile(t)+"\"}]\n")
	shown := c.YAML()
	if strings.Contains(shown, canary) || strings.Contains(shown, "PRIVATE KEY") {
		t.Errorf("a secret is shown:\n%s", shown)
	}
	if !strings.Contains(shown, password) {
		t.Errorf("the file is not named:\n%s", shown)
	}
	secrets := regexp.MustCompile(`(?m)^[ -]*(\w*(?:password|secret|token|key)\w*):`).FindAllStringSubmatch(shown, -1)
	if len(secrets) < 4 {
		t.Errorf("settings that concern secrets: %q", secrets)
	}
	for _, m := range secrets {
		if !strings.HasSuffix(m[1], "_file") {
			t.Errorf("%s is no name of a file", m[1])
		}
	}
}

// TestPostmasterIsElsewhere: letters to the postmaster of the gateway's name go on to a mailbox, not back to the gateway.
func TestPostmasterIsElsewhere(t *testing.T) {
	for postmaster, ok := range map[string]bool{
		"postmaster@gw.example.org": false, "it@GW.example.org": false, "postmaster@example.org": true, "it@elsewhere.example": true,
	} {
		_, problems := load(t, strings.Replace(small, "domains: [example.org", "postmaster: "+postmaster+", domains: [example.org", 1))
		if (problems == nil) != ok || !ok && !strings.Contains(problems[0], "round in circles") {
			t.Errorf("%s: %v", postmaster, problems)
		}
	}
	if _, problems := load(t, strings.Replace(small, "domains: [example.org", "postmaster: it@gw.example.org, domains: [example.org, gw.example.org", 1)); problems != nil {
		t.Errorf("where the gateway has the name of the mail domain: %v", problems)
	}
}

// TestNoteOnAProxyThatIsNotTrusted: behind a proxy that is not named, throttles see one client.
func TestNoteOnAProxyThatIsNotTrusted(t *testing.T) {
	for site, noted := range map[string]bool{
		`{listen: "127.0.0.1:8080", url: "https://mail.example.org"}`:                                       true,
		`{listen: "10.0.0.7:8080", url: "https://mail.example.org"}`:                                        true,
		`{listen: "127.0.0.1:8080", url: "https://mail.example.org", trusted_proxies: ["127.0.0.0/8"]}`:     false,
		`{listen: "127.0.0.1:8080", url: "http://127.0.0.1:8080"}`:                                          false,
		`{url: "https://mail.example.org", tls: {cert_file: "config_test.go", key_file: "config_test.go"}}`: false,
	} {
		c, problems := load(t, small+"\npickup: "+site)
		if problems != nil {
			t.Fatalf("%s: %v", site, problems)
		}
		if got := strings.Contains(c.InWords(), "pickup.trusted_proxies is empty"); got != noted {
			t.Errorf("%s: noted %v", site, got)
		}
	}
}

// TestConsoleAddress: where the console is, what may be its address, and what to know of a proxy before it.
func TestConsoleAddress(t *testing.T) {
	for admin, want := range map[string]string{
		`{}`:                              "Administrators use the console at http://127.0.0.1:8081.",
		`{url: "https://c.example.org/"}`: "keep /n/ out of its access and error logs",
		`{url: "https://c.example.org", tls: {cert_file: "config_test.go", key_file: "config_test.go"}}`: "Administrators use the console at https://c.example.org.",
	} {
		c, problems := load(t, small+"\nadmin: "+admin)
		if words := c.InWords(); problems != nil || !strings.Contains(words, want) {
			t.Errorf("%s: %v, %s", admin, problems, words)
		}
	}
	for admin, want := range map[string]string{
		`{listen: "0.0.0.0:8081"}`:                                         "http is for loopback only; administrators' passwords need https",
		`{url: "https://c.example.org/console"}`:                           "has a path",
		`{url: "console"}`:                                                 "is not the site's address",
		`{listen: "127.0.0.1:8080"}`:                                       "is the address of pickup.listen already",
		`{tls: {cert_file: "config_test.go", key_file: "config_test.go"}}`: "begins with http, but admin.tls has a certificate",
	} {
		if _, problems := load(t, small+"\nadmin: "+admin); !strings.Contains(strings.Join(problems, "\n"), want) {
			t.Errorf("%s: %v, want %q", admin, problems, want)
		}
	}
}

func TestC09EveryWayBackInIsInWords(t *testing.T) {
	for recovery, want := range map[string]string{"activate": "activated from a mail", "temporary-password": "gets a temporary one by mail", "reset-link": "gets a link by mail"} {
		c, problems := load(t, small+"\npickup: {recovery: "+recovery+"}\n")
		if words := c.InWords(); problems != nil || !strings.Contains(words, "Who forgets the password") || !strings.Contains(words, want) {
			t.Errorf("%s: %v, %s", recovery, problems, words)
		}
	}
}

func TestInWordsNamesRelayRules(t *testing.T) {
	c, _ := load(t, small)
	words := c.InWords()
	for _, want := range []string{"May relay", "127.0.0.0/8", "Mail to * goes to 127.0.0.1:2600", "[secure]", "Note:"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is missing in:\n%s", want, words)
		}
	}
}
