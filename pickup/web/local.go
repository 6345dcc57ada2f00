package web

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// LocalPath is a path of this site out of what a form or an address says, without query, cleaned and escaped; false:
// it leads elsewhere, or is no path.
func LocalPath(to string) (string, bool) {
	const longest = 512
	if len(to) > longest || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) ||
		strings.IndexFunc(to, unicode.IsControl) >= 0 || !utf8.ValidString(to) {
		return "", false
	}
	u, err := url.Parse(to)
	if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil {
		return "", false
	}
	clean := path.Clean(u.Path)
	return (&url.URL{Path: clean}).EscapedPath(), !strings.HasPrefix(clean, "//")
}

// LocalTarget is LocalPath for a page that is one of the roots or below one; "" for any other. Sites name no root whose
// paths hold tokens: those must not be part of another page's address.
func LocalTarget(to string, roots ...string) string {
	clean, ok := LocalPath(to)
	if ok && slices.ContainsFunc(roots, func(root string) bool { return clean == root || strings.HasPrefix(clean, root+"/") }) {
		return clean
	}
	return ""
}
