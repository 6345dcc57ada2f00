package policy

import (
	"encoding"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/viper"

	"postern/store"
	"postern/store/mail"
)

var update = flag.Bool("update", false, "rewrite what is expected in testdata")

// TestDecisions plays the tables in testdata, as testdata/README says. -update rewrites what is expected.
func TestDecisions(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal("no tables", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := playTable(t, string(want))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("differs; -update rewrites it\n%s", difference(string(want), got))
			}
		})
	}
}

func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\n-%s\n+%s", i+1, w[i], g[i])
		}
	}
	return "one is longer"
}

// playTable repeats a table with the answers of today.
func playTable(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	var policy *Policy
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var kept []string
		for line := range strings.SplitSeq(block, "\n") {
			if !strings.HasPrefix(line, "=> ") {
				kept = append(kept, line)
			}
		}
		var answers []string
		switch {
		case strings.HasPrefix(kept[0], "config"):
			policy, answers = playConfig(strings.Join(kept[1:], "\n"))
		case strings.HasPrefix(kept[0], "case"):
			answers = playCase(t, policy, kept[1:])
		}
		for _, l := range append(kept, answers...) {
			out.WriteString(l + "\n")
		}
		out.WriteString("\n")
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func playConfig(text string) (*Policy, []string) {
	c, err := decodeConfig(text)
	if err == nil {
		var p *Policy
		if p, err = Compile(c); err == nil {
			return p, nil
		}
	}
	var answers []string
	for l := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		answers = append(answers, "=> "+l)
	}
	return nil, answers
}

// decodeConfig reads the section `policy` as the configuration does: unknown keys are errors.
func decodeConfig(text string) (Config, error) {
	v := viper.NewWithOptions(viper.KeyDelimiter("::"))
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(text)); err != nil {
		return Config{}, err
	}
	c := Config{Support: "the desk, 01632 960626", Internal: func(domain string) bool {
		return domain == "example.org" || strings.HasSuffix(domain, ".example.org")
	}}
	return c, v.UnmarshalExact(&c, viper.DecodeHook(decodeText))
}

// decodeText reads time spans such as 30d, and types that read themselves.
func decodeText(_, to reflect.Type, value any) (any, error) {
	s, isText := value.(string)
	if !isText {
		return value, nil
	}
	if to == reflect.TypeFor[time.Duration]() {
		if n, err := strconv.Atoi(strings.TrimSuffix(s, "d")); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
		return time.ParseDuration(s)
	}
	if own, ok := reflect.New(to).Interface().(encoding.TextUnmarshaler); ok {
		return own, own.UnmarshalText([]byte(s))
	}
	return value, nil
}

func playCase(t *testing.T, p *Policy, lines []string) []string {
	t.Helper()
	if p == nil {
		t.Fatalf("case without a policy: %q", lines)
	}
	in := readCase(t, lines)
	var answers []string
	for i, d := range p.Decide(in) {
		answers = append(answers, "=> "+in.Env.Rcpts[i].Address.String()+": "+describe(t, d))
	}
	return answers
}

func readCase(t *testing.T, lines []string) Input {
	t.Helper()
	from := address(t, "maria@example.org")
	in := Input{Env: store.Envelope{From: &from, Client: store.Client{Class: store.ClientTrusted}}}
	var header []string
	for _, l := range lines {
		key, value, _ := strings.Cut(l, " ")
		switch key {
		case "from":
			in.Env.From = nil
			if value != "<>" {
				from = address(t, value)
				in.Env.From = &from
			}
		case "to":
			to, status, _ := strings.Cut(value, " ")
			in.Env.Rcpts = append(in.Env.Rcpts, store.Rcpt{Address: address(t, to)})
			in.Facts.Rcpts = append(in.Facts.Rcpts, store.Status(status))
		case "user":
			in.Env.Client.Class, in.Env.Client.User = store.ClientUser, value
		case "site":
			in.Env.Client.Class = store.ClientSite
		case "stranger":
			in.Env.Client.Class = store.ClientStranger
		case "size":
			if _, err := fmt.Sscan(value, &in.Env.Size); err != nil {
				t.Fatal(err)
			}
		case "sender":
			in.Facts.Sender = store.Status(value)
		case "thread":
			in.Facts.ThreadSealed = true
		case "own":
			in.Own, in.OwnTLS = true, value == "tls"
		case "|":
			header = append(header, value)
		default:
			t.Fatalf("line %q", l)
		}
	}
	in.Header = mail.ParseHeader([]byte(strings.Join(header, "\r\n") + "\r\n\r\n"))
	return in
}

func address(t *testing.T, s string) store.Address {
	t.Helper()
	a, err := store.ParseAddress(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return a
}

func describe(t *testing.T, d Decision) string {
	t.Helper()
	words := []string{string(d.Action), "by", d.Rule}
	if d.Options.Expire > 0 {
		words = append(words, "expire="+d.Options.Expire.String())
	}
	if d.Options.NoReply {
		words = append(words, "noreply")
	}
	if d.NeedTLS {
		words = append(words, "tls")
	}
	words = append(words, strconv.Quote(d.Reason))
	if (d.Refusal != nil) != (d.Action == store.ActionReject) || d.Reason == "" || d.Rule == "" {
		t.Errorf("decision %+v is not whole", d)
	}
	if d.Refusal != nil {
		words = append(words, d.Refusal.Error())
	}
	return strings.Join(words, " ")
}
