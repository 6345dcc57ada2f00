package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"postern/store"
)

// spellings are the forms in which octets turn up in texts.
func spellings(secret []byte) []string {
	b := secret[:8] // part of a secret is too much already
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	return []string{
		string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), decimal,
		strings.ReplaceAll(decimal, " ", ", "), strings.ReplaceAll(decimal, " ", ","),
		store.EncodeB32(secret)[:12], base64.StdEncoding.EncodeToString(secret)[:10], base64.RawURLEncoding.EncodeToString(secret)[:10],
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}"),
		strings.Trim(fmt.Sprintf("%q", b), `"`),
	}
}

// rendered is v in every way in which a program writes values without thinking.
func rendered(t *testing.T, v any) map[string]string {
	t.Helper()
	out := make(map[string]string)
	nested := struct {
		Name  string
		Value any
		List  []any
	}{"n", v, []any{v}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x", "%c", "%o", "%U", "%08b", "%t"} {
		out[verb] = fmt.Sprintf(verb, v)
		out["nested "+verb] = fmt.Sprintf(verb, nested)
		out["pointer "+verb] = fmt.Sprintf(verb, &nested)
	}
	out["Sprint"] = fmt.Sprint(v)
	out["error"] = fmt.Errorf("it is %v", v).Error()
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v, slog.Group("g", "n", nested))
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v, slog.Group("g", "n", nested))
	out["slog text"], out["slog json"] = text.String(), js.String()
	if data, err := json.Marshal(nested); err == nil {
		out["json"] = string(data)
	}
	if data, err := json.Marshal(map[string]any{"k": v}); err == nil {
		out["json map"] = string(data)
	}
	return out
}

// TestSecretsHideThemselves: a secret that gets into a log line, an error or a JSON text does not show.
func TestSecretsHideThemselves(t *testing.T) {
	t.Parallel()
	fk, link, seed, mac, k := FileKey(random(16)), NewSecret(), NewSeed(), MACKey(random(32)), key(random(32))
	tmp, tok := NewTemporary(), NewSessionToken()
	line := keyLine{id: symmetricID(k), key: k}
	keys := testKeys(t)
	ring := testRing(t, t.TempDir(), &clock{t: time.UnixMilli(0)})
	wrap(t, ring)
	w, err := NewWriter(new(bytes.Buffer), store.MessageID{1})
	if err != nil {
		t.Fatal(err)
	}
	body, file := sealBody(t, store.MessageID{1}, []byte("the plain text of a mail"))
	b, err := openBody(store.MessageID{1}, body, file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadAt(make([]byte, 4), 0); err != nil {
		t.Fatal(err)
	}
	wfk := w.FileKey()
	for name, c := range map[string]struct {
		value  any
		secret []byte
	}{
		"FileKey": {fk, fk[:]}, "*FileKey": {&fk, fk[:]}, "LinkSecret": {link, link[:]}, "Seed": {seed, seed[:]},
		"MACKey": {mac, mac[:]}, "key": {k, k[:]}, "Temporary": {tmp, append(tmp[:], tmp[:]...)}, "SessionToken": {tok, tok[:]},
		"keyLine": {line, k[:]}, "ServerKeys": {keys, bytes.Clone(keysKey(keys))}, "Ring": {ring, bytes.Clone(ring.keys[0].key[:])},
		"Writer": {w, wfk[:]}, "Body": {b, []byte("the plain text of a mail")},
	} {
		for how, text := range rendered(t, c.value) {
			for _, s := range spellings(c.secret) {
				if strings.Contains(text, s) {
					t.Errorf("%s shows itself by %s", name, how)
				}
			}
		}
	}
}

func keysKey(s *ServerKeys) []byte { k := s.all()[0].key; return k[:] }

func TestRedactedMethods(t *testing.T) {
	t.Parallel()
	type hider interface {
		GoString() string
		LogValue() slog.Value
		MarshalText() ([]byte, error)
	}
	for name, v := range map[string]hider{
		"FileKey": FileKey{1}, "LinkSecret": LinkSecret{1}, "Seed": Seed{1}, "MACKey": MACKey{1}, "key": key{1},
		"Temporary": Temporary{1}, "SessionToken": SessionToken{1},
	} {
		text, err := v.MarshalText()
		if err != nil || string(text) != redacted || v.GoString() != redacted || v.LogValue().String() != redacted {
			t.Errorf("%s: %s, %s, %s, %v", name, text, v.GoString(), v.LogValue(), err)
		}
		if s, ok := v.(fmt.Stringer); ok && name != "Temporary" && name != "SessionToken" && s.String() != redacted {
			t.Errorf("%s: String shows it", name)
		}
	}
}

// TestErrorsHoldNoSecret opens with wrong secrets and looks for them in what is said.
func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	keys, k := testKeys(t), testRcpt(1)
	right, wrong := NewSecret(), NewSecret()
	_, errLink := keys.OpenLink(wrong, k, keys.GrantLink(right, k, FileKey{1}))
	token := []byte(wrong.Token(TokenPickup))
	token[30] ^= 1
	_, errToken := ParseToken(TokenPickup, string(token))
	_, errShort := ParseToken(TokenPickup, string(token[:30]))
	v := weakBox(keys, "the right password", store.AccountID{1}, NewSeed())
	_, errBox := keys.OpenBox("the wrong password", store.AccountID{1}, v)
	tok := NewSessionToken()
	_, errSession := ParseSessionToken(tok.String()[1:])
	_, file := sealBody(t, k.Message, []byte("plain"))
	_, errBody := openBody(store.MessageID{9}, FileKey(wrong[:16]), bytes.Replace(file, []byte("postern-v1"), []byte("a-secret-v1"), 1))
	for name, err := range map[string]error{
		"link": errLink, "token": errToken, "short token": errShort, "box": errBox, "session": errSession, "body": errBody,
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, s := range []string{string(token[:12]), "password the", "right", tok.String()[1:12], "a-secret"} {
			if strings.Contains(err.Error(), s) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
