package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"postern/pickup/web"
)

// TestFailuresSayWhenToComeBack: whole seconds, rounded up, in the header and for the page; nothing where there is
// nothing to wait for.
func TestFailuresSayWhenToComeBack(t *testing.T) {
	t.Parallel()
	kinds := map[int]string{http.StatusServiceUnavailable: "crowded", http.StatusNotFound: "missing"}
	for _, tt := range []struct {
		failure web.Failure
		kind    string
		header  string
		seconds int
	}{
		{web.FailureOf(http.StatusServiceUnavailable, kinds), "crowded", "10", 10},
		{web.FailureOf(http.StatusNotFound, kinds), "missing", "", 0},
		{web.FailureOf(http.StatusTeapot, kinds), "fault", "", 0},
		{web.Failure{Status: http.StatusServiceUnavailable, Kind: "busy", Wait: 1500 * time.Millisecond}, "busy", "2", 2},
	} {
		w := httptest.NewRecorder()
		if n := tt.failure.Announce(w); n != tt.seconds || w.Header().Get("Retry-After") != tt.header || tt.failure.Kind != tt.kind {
			t.Errorf("%+v: %d, %q", tt.failure, n, w.Header().Get("Retry-After"))
		}
	}
}
