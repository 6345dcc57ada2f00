package seal

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"postern/store"
)

func FuzzParseToken(f *testing.F) {
	f.Add(byte('p'), testToken)
	f.Add(byte('r'), "https://mail.example.org/r/1000G40R40M30E209185GR38E1W8124GKR5QS.")
	f.Add(byte('p'), "%31%ZZ\u200b\u00ad=\r\n")
	f.Fuzz(func(t *testing.T, kind byte, text string) {
		s, err := ParseToken(TokenKind(kind), text)
		if err != nil {
			var short *IncompleteError
			if !errors.Is(err, ErrDamaged) && (!errors.As(err, &short) || short.N >= TokenLen) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		token := s.Token(TokenKind(kind))
		if again, err := ParseToken(TokenKind(kind), token); err != nil || again != s {
			t.Fatalf("what was read does not read back: %v", err)
		}
		if len(token) != TokenLen {
			t.Fatalf("a token of %d characters", len(token))
		}
	})
}

func FuzzParseTemporary(f *testing.F) {
	f.Add("0123-4567-89ab-cdef")
	f.Fuzz(func(t *testing.T, text string) {
		tmp, err := ParseTemporary(text)
		if err != nil {
			return
		}
		if again, err := ParseTemporary(tmp.String()); err != nil || again != tmp {
			t.Fatalf("what was read does not read back: %v", err)
		}
	})
}

func fuzzKeyFile(f *testing.F, format lineFormat) {
	k := keyLine{hour: 1_700_000_000 / 3600 * 3600, key: key{1, 2, 3}}
	k.id = symmetricID(k.key)
	f.Add(format.write([]keyLine{k}))
	f.Add([]byte("\r\n" + string(format.write([]keyLine{k, k}))))
	f.Add([]byte(format.word + "  x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := format.parse("file", data)
		if err != nil {
			var bad *KeyFileError
			if !errors.As(err, &bad) || bad.Line < 1 {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		out := format.write(lines)
		again, err := format.parse("file", out)
		if err != nil || !slices.Equal(again, lines) {
			t.Fatalf("what was written does not read back: %v", err)
		}
		if strings.Join(strings.Fields(string(data)), " ") != strings.Join(strings.Fields(string(out)), " ") {
			t.Fatal("a spelling was read that is not written")
		}
	})
}

func FuzzServerKeyFile(f *testing.F) { fuzzKeyFile(f, serverLines()) }
func FuzzRingFile(f *testing.F)      { fuzzKeyFile(f, queueLines()) }

func FuzzParameters(f *testing.F) {
	f.Add("argon2id,t=3,m=65536,p=4,salt=000000000000000000000000g0")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parseArgon(s); err == nil && p.String() != s {
			t.Fatalf("%q is read as %q", s, p)
		}
	})
}

// FuzzOpen feeds files to Open: only the sealed one gives its text, whatever else is refused without harm.
func FuzzOpen(f *testing.F) {
	id, plain := store.MessageID{1}, []byte("the text of a mail")
	fk, sealed := sealBody(f, id, plain)
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Add([]byte("age-encryption.org/v1\n-> postern-v1 " + id.String() + "\n\n--- AAAA\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		b, err := openBody(id, fk, file)
		if err != nil {
			if !errors.Is(err, ErrSealed) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		got, err := io.ReadAll(b.Reader())
		if err != nil || !bytes.Equal(got, plain) || !bytes.Equal(file, sealed) {
			t.Fatalf("another file opens: %v", err)
		}
	})
}

// FuzzSealedValue feeds values to the layers: none but the sealed one opens.
func FuzzSealedValue(f *testing.F) {
	keys, k, link := testKeys(f), store.RcptKey{Message: store.MessageID{1}, N: 1}, LinkSecret{1}
	g := keys.GrantLink(link, k, FileKey{2})
	f.Add(g.Data)
	f.Add(g.Data[:8])
	f.Fuzz(func(t *testing.T, data []byte) {
		x := g
		x.Data = data
		if _, err := keys.OpenLink(link, k, x); (err == nil) != bytes.Equal(data, g.Data) {
			t.Fatalf("opens: %v", err)
		}
	})
}
