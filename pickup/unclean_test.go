package pickup_test

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// A path with doubled slashes or dots leads to what it means, on this site and nowhere else.
func TestUncleanPathsLeadToTheCleanOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, _ := w.plant(joan, letter{subject: "x", text: "x"})
	link := linkOf(secret)
	for path, want := range map[string]string{
		"/" + link:                     link,
		"/x/.." + link:                 link,
		"//evil.example/../help":       "/help",
		"/.//evil.example/../help?q=a": "/help?q=a",
		"//evil.example//x/..//y":      "",
		"//":                           "/",
		"/help//":                      "",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		a := httptest.NewRecorder()
		w.site.Handler().ServeHTTP(a, r)
		to := a.Header().Get("Location")
		switch {
		case strings.HasPrefix(to, "//") || strings.Contains(to, ":"):
			t.Errorf("%s leads out of the site, to %s", path, to)
		case a.Code/100 == 3 && to == "":
			t.Errorf("%s: %d to nowhere", path, a.Code)
		case want != "" && (a.Code/100 != 3 || to != want):
			t.Errorf("%s: %d to %q, want %q", path, a.Code, to, want)
		}
	}
}
