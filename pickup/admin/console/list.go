package console

import (
	"errors"
	"net/http"
	"net/url"

	"postern/store"
)

// listSize is how many rows a page of a list shows.
const listSize = 50

// cursorOf is where a page of a list begins.
func cursorOf(r *http.Request) store.Cursor { return store.Cursor(r.URL.Query().Get("after")) }

// nextPage is the address of the page of a list behind a cursor, with some values; "" when there is none.
func nextPage(path string, next store.Cursor, values url.Values) string {
	if next == "" {
		return ""
	}
	return withQuery(path, values, "after", string(next))
}

// keep adds what is not empty: name, value, name, value ….
func keep(to url.Values, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			to.Set(pairs[i], pairs[i+1])
		}
	}
}

// withQuery is a path with some values and more of them.
func withQuery(path string, values url.Values, pairs ...string) string {
	all := url.Values{}
	for k, v := range values {
		all[k] = v
	}
	keep(all, pairs...)
	if len(all) == 0 {
		return path
	}
	return path + "?" + all.Encode()
}

// cursorError takes a page of a list that was made up for one that is not there.
func cursorError(err error) error {
	if errors.Is(err, store.ErrCursor) {
		return errMissing
	}
	return err
}
