package mail

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"postern/store"
)

// The vectors of KEYS K2.
const (
	vectorP = "1000g40r40m30e209185gr38e1w8124gk9d90"
	vectorR = "1000g40r40m30e209185gr38e1w8124gkr5qs"
)

// token makes a token from a seed as KEYS K2 says, apart from the code that finds it.
func token(kind string, seed int) string {
	sum := sha256.Sum256([]byte(fmt.Sprint(seed)))
	secret := sum[:20]
	var c []byte
	for _, part := range [][]byte{[]byte("postern/v1"), []byte("token-check"), []byte(kind), secret} {
		c = append(binary.BigEndian.AppendUint16(c, uint16(len(part))), part...)
	}
	check := sha256.Sum256(c)
	return "1" + store.EncodeB32(secret) + store.EncodeB32(check[:])[:4]
}

func TestTokenVectors(t *testing.T) {
	t.Parallel()
	secret := make([]byte, 20)
	for i := range secret {
		secret[i] = byte(i)
	}
	for kind, want := range map[string]string{"p": vectorP, "r": vectorR} {
		if got := "1" + store.EncodeB32(secret) + tokenCheck(kind, secret); got != want {
			t.Errorf("kind %s: %s", kind, got)
		}
	}
}

func TestScrub(t *testing.T) {
	t.Parallel()
	a, b := vectorP[:18], vectorP[18:]
	tests := []struct{ name, in, want string }{
		{"harmless", "5.1.1 <joan@mail.example>: Recipient address rejected: User unknown in virtual mailbox table", "5.1.1 <joan@mail.example>: Recipient address rejected: User unknown in virtual mailbox table"},
		{"queue ids and hosts", "250 2.0.0 Ok: queued as 4Xy1Zk3V9Cz1b3S on mail-sor-f41.google.example [2001:db8:4864:20::41]", "250 2.0.0 Ok: queued as 4Xy1Zk3V9Cz1b3S on mail-sor-f41.google.example [2001:db8:4864:20::41]"},
		{"a prose sentence of digits", "in 1 minute and 30 seconds at 10 o'clock on 12 mail hosts here", "in 1 minute and 30 seconds at 10 o'clock on 12 mail hosts here"},
		{"alone", vectorP, "[removed]"},
		{"in its URL", "URL https://s.example.org/p/" + vectorP + " is listed", "URL https://s.example.org/p/[removed] is listed"},
		{"without path", "found " + vectorR + ".", "found [removed]."},
		{"upper case", strings.ToUpper(vectorP), "[removed]"},
		{"in a wrapped URL", "https://w.example/?url=https%3A%2F%2Fs.example.org%2Fp%2F" + vectorP + "&data=05%7C01", "https://w.example/?url=https%3A%2F%2Fs.example.org%2Fp%[removed]&data=05%7C01"},
		{"in an underscored URL", "https://w.example/v2/url?u=https-3A__s.example.org_p_" + vectorP + "&d=x", "https://w.example/v2/url?u=https-3A__s.example.org_p_[removed]&d=x"},
		{"split by a blank", "/p/" + a + " " + b, "/p/[removed]"},
		{"split by a line end", "/p/" + a + "\r\n" + b + "\r\nend", "/p/[removed]\\r\\nend"},
		{"split by a reply code", "550-5.7.1 /p/" + a + "\r\n550-5.7.1 " + b + "\r\n550 5.7.1 end", "550-5.7.1 /p/[removed]\\r\\n550 5.7.1 end"},
		{"split by quoted-printable", "/p/" + a + "=\r\n" + b, "/p/[removed]"},
		{"split by quoting", "> /p/" + a + "\n> " + b, "> /p/[removed]"},
		{"split by quotes", `"` + a + `" "` + b + `"`, `"[removed]"`},
		{"split by soft hyphens", a + "\u00ad" + b, "[removed]"},
		{"split by zero-width space", a + "\u200b" + b, "[removed]"},
		{"split by hyphens into pieces", strings.Join([]string{vectorP[:9], vectorP[9:18], vectorP[18:27], vectorP[27:]}, "-"), "[removed]"},
		{"every character apart", strings.Join(strings.Split(vectorP, ""), " "), "[removed]"},
		{"percent-encoded split", a + "%20" + b, "[removed]"},
		{"percent-encoded character", "%31" + vectorP[1:], "[removed]"},
		{"letters for digits", strings.NewReplacer("0", "O", "1", "l").Replace(vectorP), "[removed]"},
		{"letters for digits, split", strings.NewReplacer("0", "o", "1", "I").Replace(a + " " + b), "[removed]"},
		{"split and cut off", "/p/" + a + " " + b[:15], "/p/[removed]"},
		{"two", vectorP + " " + vectorR, "[removed] [removed]"},
		{"temporary password", "password: 7hk2-m3zk-q7d0-h5vw, thanks", "password: [removed], thanks"},
		{"temporary password, upper case", "7HK2-M3ZK-Q7D0-H5VW", "[removed]"},
		{"temporary password, other hyphens", "7hk2\u20112m3z\u2011q7d0 \u2013 h5vw", "[removed]"},
		{"temporary password, broken line", "7hk2-m3zk-\r\nq7d0-h5vw", "[removed]"},
		{"temporary password, quoted-printable", "7hk2-m3zk=\r\n-q7d0-h5vw", "[removed]"},
		{"longer groups", "7hk2-m3zk-q7d0-h5vwx and x7hk2-m3zk-q7d0-h5vw", "7hk2-m3zk-q7d0-h5vwx and x7hk2-m3zk-q7d0-h5vw"},
		{"run of 30", "id " + strings.Repeat("aB1", 10) + ".", "id [removed]."},
		{"run of 29", strings.Repeat("a", 29), strings.Repeat("a", 29)},
		{"run with an invisible character", strings.Repeat("a", 15) + "\u200b" + strings.Repeat("b", 15), "[removed]"},
		{"control characters", "a\x00b\x1b[31m\u202ec\r\n\td\x7f\u0085", `a\x00b\x1b[31m\u202ec\r\n\td\x7f\x85`},
		{"wrong octets", "Gr\xfc\xdfe Grüße", `Gr\xfc\xdfe Grüße`},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Scrub(tt.in); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestScrubCanary hides tokens of every kind in all the ways that mail on its way is mangled.
func TestScrubCanary(t *testing.T) {
	t.Parallel()
	wrap := []string{"%s", "URL https://s.example.org/p/%s is listed", "https%3A%2F%2Fs.example.org%2Fp%2F%s", "%%s", "\"%s\"", "<a href=3D\"https://s/p/%s\">", "x%sy", "_%s_", "a u %s u"}
	split := []string{"", " ", "\r\n", "=\r\n", "\u00ad", "\u200b", "\" \"", "\n> ", "-", ".", ",", "%20", "\r\n550-5.7.1 ", "\x00", "\t", "&", "/"}
	seed := 0
	for _, kind := range []string{"p", "r", "v", "a", "s", "w", "n"} {
		for _, w := range wrap {
			for _, sp := range split {
				for _, at := range []int{1, 7, 20, 33, 36} {
					seed++
					secret := token(kind, seed)
					if seed%3 == 0 {
						secret = strings.ToUpper(secret)
					}
					in := strings.ReplaceAll(w, "%s", secret[:at]+sp+secret[at:])
					if left := leak(Scrub(in), secret); left != "" {
						t.Fatalf("%q: %q is left in %q", in, left, Scrub(in))
					}
				}
			}
		}
	}
}

// leak is a piece of a secret in a text; up to 8 characters may stand there by chance.
func leak(text, secret string) string {
	for i := 0; i+8 <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+8]) {
			return secret[i : i+8]
		}
	}
	return ""
}

// TestScrubCutsRemoteTextSafely puts a secret at every place around the limits.
func TestScrubCutsRemoteTextSafely(t *testing.T) {
	t.Parallel()
	for _, length := range []int{maxScrubbed, maxRemote} {
		for at := length - 120; at < length+10; at++ {
			for _, fill := range []string{" ", "\u200b"} {
				in := strings.Repeat("x "+fill, at)[:at] + vectorP[:20] + fill + vectorP[20:] + strings.Repeat(" y", 200)
				got := Scrub(in)
				if left := leak(got, vectorP); left != "" || utf8.RuneCountInString(got) > maxScrubbed {
					t.Fatalf("secret at %d: %q", at, got)
				}
			}
		}
	}
	many := strings.Repeat(vectorP[:20]+" "+vectorP[20:]+" ", 500)
	if got := Scrub(many); leak(got, vectorP) != "" {
		t.Errorf("%q", got)
	}
}

// safe reports what is wrong with a scrubbed text.
func safe(s string) string {
	switch {
	case !utf8.ValidString(s):
		return "not UTF-8"
	case utf8.RuneCountInString(s) > maxScrubbed:
		return "too long"
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || isBidi(r) }):
		return "control characters"
	}
	s = escapes.ReplaceAllString(s, " ")
	for _, m := range findTokens(squeeze(s, remoteReading{})) {
		return "token " + s[m.from:m.to]
	}
	return ""
}

var escapes = regexp.MustCompile(`\\(x[0-9a-f]{2}|u[0-9a-f]{4,6}|[rnt])`)

func BenchmarkScrub(b *testing.B) {
	in := strings.Repeat("1 ", maxRemote)
	for b.Loop() {
		Scrub(in)
	}
}
