package web

import (
	"errors"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrForm: the body is not a form of ours.
var ErrForm = errors.New("the form is not one of ours")

// Form reads a form of ours: the named fields, each at most once, as valid text. Fields that the page does not have are
// ignored. A body that is no such form is ErrForm; one that is too large, *http.MaxBytesError.
func Form(r *http.Request, names ...string) (map[string]string, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" && r.ContentLength != 0 {
		return nil, ErrForm
	}
	if err := r.ParseForm(); err != nil {
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			return nil, err
		}
		return nil, ErrForm
	}
	values := make(map[string]string, len(names))
	for _, name := range names {
		given := r.PostForm[name]
		if len(given) > 1 {
			return nil, ErrForm
		}
		if len(given) == 1 {
			if !utf8.ValidString(given[0]) || strings.ContainsRune(given[0], 0) {
				return nil, ErrForm
			}
			values[name] = given[0]
		}
	}
	return values, nil
}

// OneLine makes what was typed into a one-line field fit to be shown again, in so many characters at most.
func OneLine(s string, longest int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	runes := []rune(s)
	return string(runes[:min(len(runes), longest)])
}
