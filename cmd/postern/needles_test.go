package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// needles are secrets in every form in which they could be written by mistake.
type needles struct {
	by   map[[headLen]byte][]needle
	head [1 << 16]bool // the first two octets of some needle
	seen map[string]bool
}

type needle struct {
	what, form string
	octets     []byte
}

const (
	headLen   = 4
	minNeedle = 8
)

// finding is a needle in the hay.
type finding struct{ what, form, where string }

func (f finding) String() string { return fmt.Sprintf("%s (%s) in %s", f.what, f.form, f.where) }

func newNeedles() *needles {
	return &needles{by: map[[headLen]byte][]needle{}, seen: map[string]bool{}}
}

// add makes a secret known by a name.
func (n *needles) add(what, secret string) {
	n.put(what, "raw", []byte(secret))
	n.put(what, "upper case", []byte(strings.ToUpper(secret)))
	n.put(what, "quoted-printable", quotedPrintable(secret))
	n.put(what, "encoded word", []byte(strings.TrimSuffix(mime.QEncoding.Encode("utf-8", secret), "?=")))
	n.put(what, "URL query", []byte(url.QueryEscape(secret)))
	n.put(what, "URL path", []byte(url.PathEscape(secret)))
	n.put(what, "HTML", []byte(html.EscapeString(secret)))
	n.put(what, "Go string", []byte(strings.Trim(strconv.Quote(secret), `"`)))
	if text, err := json.Marshal(secret); err == nil {
		n.put(what, "JSON", bytes.Trim(text, `"`))
	}
	n.put(what, "UTF-16 little-endian", utf16Octets(secret, 0))
	n.put(what, "UTF-16 big-endian", utf16Octets(secret, 1))
	n.addOctets(what, []byte(secret))
}

// addOctets makes a secret of octets known, in the forms that octets can have.
func (n *needles) addOctets(what string, secret []byte) {
	n.put(what, "raw", secret)
	n.put(what, "hexadecimal", []byte(hex.EncodeToString(secret)))
	n.put(what, "HEXADECIMAL", []byte(strings.ToUpper(hex.EncodeToString(secret))))
	n.put(what, "decimal list", []byte(strings.Trim(fmt.Sprint(secret), "[]")))
	n.base64(what, "base64", secret, 3)
}

// base64 adds what any base64 text around the secret must hold, and the same of that: a mail in JSON in a record has
// its attachments coded three times.
func (n *needles) base64(what, form string, secret []byte, depth int) {
	if depth == 0 {
		return
	}
	for align := range 3 {
		padded := append(make([]byte, align), secret...)
		for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			// The first and last characters also hold bits of what stands around the secret.
			text := coding.EncodeToString(padded)[[]int{0, 2, 3}[align]:]
			if len(padded)%3 != 0 {
				text = text[:len(text)-1]
			}
			n.put(what, form, []byte(text))
			if coding == base64.RawStdEncoding {
				n.base64(what, form+" of base64", []byte(text), depth-1)
			}
		}
	}
}

func (n *needles) put(what, form string, octets []byte) {
	if len(octets) < minNeedle || n.seen[what+string(octets)] {
		return
	}
	n.seen[what+string(octets)] = true
	h := [headLen]byte(octets)
	n.by[h] = append(n.by[h], needle{what, form, octets})
	n.head[int(octets[0])<<8|int(octets[1])] = true
}

func quotedPrintable(s string) []byte {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.Bytes()
}

func utf16Octets(s string, high int) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		pair := []byte{byte(u), byte(u >> 8)}
		out = append(out, pair[high], pair[1-high])
	}
	return out
}

// find lists the needles in the hay, each once.
func (n *needles) find(where string, hay []byte) (found []finding) {
	told := map[string]bool{}
	for at := n.next(hay, 0); at >= 0; at = n.next(hay, at+1) {
		for _, x := range n.by[[headLen]byte(hay[at:])] {
			if bytes.HasPrefix(hay[at:], x.octets) && !told[x.what] {
				told[x.what] = true
				found = append(found, finding{x.what, x.form, where})
			}
		}
	}
	return found
}

// next is the next place where a needle may begin. It looks at every octet of all that was written, so the race
// detector is told not to.
//
//go:norace
func (n *needles) next(hay []byte, from int) int {
	for i := from; i+headLen <= len(hay); i++ {
		if n.head[int(hay[i])<<8|int(hay[i+1])] {
			return i
		}
	}
	return -1
}

// findIn searches all files below a folder, their names included.
func (n *needles) findIn(t testing.TB, dir string) (found []finding) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		found = append(found, n.find("the name of "+path, []byte(path))...)
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		found = append(found, n.find(path, data)...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// word is a text of letters that stands nowhere else.
func word(prefix string) string {
	b := []byte(prefix)
	for range 16 {
		b = append(b, 'a'+byte(rand.IntN(26)))
	}
	return string(b)
}

// TestI1SearchFindsEveryForm holds the search itself to account: a secret hidden in noise, coded in each way and at
// each alignment, is found.
func TestI1SearchFindsEveryForm(t *testing.T) {
	t.Parallel()
	secret := "Käse=" + word("canary") + "<ß>"
	around := func(s string) []byte { return []byte("before " + s + " after") }
	coded := map[string][]byte{"as it is": around(secret), "in capitals": around(strings.ToUpper(secret)), "quoted-printable": quotedPrintable(secret),
		"encoded word": []byte(mime.QEncoding.Encode("utf-8", secret)), "query": []byte(url.Values{"q": {secret}}.Encode()),
		"path": []byte((&url.URL{Path: secret}).EscapedPath()), "HTML": around(html.EscapeString(secret)), "Go": []byte(fmt.Sprintf("%q", "x"+secret)),
		"hexadecimal": []byte(fmt.Sprintf("%x", around(secret))), "HEXADECIMAL": []byte(fmt.Sprintf("%X", around(secret))),
		"list": []byte(fmt.Sprint(around(secret))), "UTF-16LE": utf16Octets(secret, 0), "UTF-16BE": utf16Octets(secret, 1)}
	for i := range 6 {
		record := map[string][]byte{"mail": []byte(strings.Repeat("x", i) + base64.StdEncoding.EncodeToString(around(strings.Repeat("y", i/2)+secret)))}
		text, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		coded[fmt.Sprintf("mail in a record %d", i)] = []byte(base64.StdEncoding.EncodeToString(text))
		coded[fmt.Sprintf("cookie %d", i)] = []byte(base64.URLEncoding.EncodeToString(around(strings.Repeat("z", i) + secret)))
	}
	n := newNeedles()
	n.add("the secret", secret)
	for name, text := range coded {
		hay := make([]byte, 4096)
		for i := range hay {
			hay[i] = byte(rand.Uint32())
		}
		if found := n.find("noise", hay); len(found) > 0 {
			t.Errorf("noise counts as %v", found)
		}
		copy(hay[1000+rand.IntN(7):], text)
		if found := n.find(name, hay); len(found) != 1 {
			t.Errorf("%s: found %v", name, found)
		}
	}
}
