package policy

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"postern/store"
	"postern/store/mail"
)

// pattern is a text in lower case, NFKC, in which `*` stands for anything.
type pattern string

// compilePattern prepares a pattern that must match the whole text, or somewhere inside of it.
func compilePattern(s string, inside bool) (pattern, error) {
	s = fold(s)
	switch {
	case s == "":
		return "", errors.New("an entry is empty")
	case inside:
		return pattern("*" + s + "*"), nil
	}
	return pattern(s), nil
}

func fold(s string) string { return strings.ToLower(mail.NormaliseSubject(s)) }

// anyPattern reports whether a pattern matches one of the texts. No patterns demand nothing.
func anyPattern(patterns []pattern, texts ...string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, t := range texts {
		t = fold(t)
		for _, p := range patterns {
			if glob(string(p), t) {
				return true
			}
		}
	}
	return false
}

// glob matches a pattern with `*`. Its time is at most the product of both lengths.
func glob(p, s string) bool {
	star, back := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, back = i, j
			i++
		case i < len(p) && p[i] == s[j]:
			i++
			j++
		case star >= 0:
			back++
			i, j = star+1, back
		default:
			return false
		}
	}
	return strings.Trim(p[i:], "*") == ""
}

// addressPattern matches addresses by their key.
type addressPattern struct {
	local  string // pattern; "" in an entry that names domains only
	domain string // pattern, or ".domain"
}

func errAddress(entry string) error {
	return fmt.Errorf("%q: must be user@domain, domain, .domain, or a pattern with *", entry)
}

func compileAddress(s string) (addressPattern, error) {
	s = strings.TrimSpace(s)
	local, domain, hasLocal := cutAddress(s)
	switch {
	case s == "", domain == "", hasLocal && local == "", strings.ContainsAny(s, " \t<>,;\""):
		return addressPattern{}, errAddress(s)
	case !strings.Contains(domain, "*"):
		if !validDomain(strings.TrimPrefix(domain, ".")) {
			return addressPattern{}, errAddress(s)
		}
		domain = domainKey(domain)
	}
	return addressPattern{local: norm.NFC.String(strings.ToLower(norm.NFC.String(local))), domain: strings.ToLower(domain)}, nil
}

func validDomain(domain string) bool {
	_, err := store.ParseAddress("postmaster@" + domain)
	return err == nil
}

func domainKey(domain string) string {
	if name, ok := strings.CutPrefix(domain, "."); ok {
		return "." + store.DomainKey(name)
	}
	return store.DomainKey(domain)
}

func cutAddress(s string) (local, domain string, hasLocal bool) {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return s[:at], s[at+1:], true
	}
	return "", s, false
}

func (p addressPattern) matches(a store.Address) bool {
	local, domain, _ := cutAddress(string(a.Key()))
	if p.local != "" && !glob(p.local, local) {
		return false
	}
	if strings.HasPrefix(p.domain, ".") && !strings.Contains(p.domain, "*") {
		return strings.HasSuffix(domain, p.domain)
	}
	return glob(p.domain, domain)
}

// anyAddress reports whether a pattern matches an address. No patterns demand nothing.
func anyAddress(patterns []addressPattern, a store.Address) bool {
	for _, p := range patterns {
		if p.matches(a) {
			return true
		}
	}
	return len(patterns) == 0
}

// headerMatch is a compiled NameValue.
type headerMatch struct {
	name  string
	value []pattern // none: any value
}

func compileHeader(h NameValue) (headerMatch, error) {
	out := headerMatch{name: h.Name}
	if h.Name == "" || strings.ContainsFunc(h.Name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
		return out, fmt.Errorf("%q: must be the name of a field, or Name: value", h.Name)
	}
	if h.Value != "" {
		p, err := compilePattern(h.Value, false)
		if err != nil {
			return out, err
		}
		out.value = []pattern{p}
	}
	return out, nil
}

// in reports whether the header has such a field.
func (m headerMatch) in(h mail.Header) bool {
	for _, value := range h.All(m.name) {
		if anyPattern(m.value, mail.Decode(value)) {
			return true
		}
	}
	return false
}

// anyHeader reports whether the header has one of the fields. No entries demand nothing.
func anyHeader(entries []headerMatch, h mail.Header) bool {
	for _, m := range entries {
		if m.in(h) {
			return true
		}
	}
	return len(entries) == 0
}
