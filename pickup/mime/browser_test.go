package mime

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/cmd/testneed"
)

// TestNoBrowserRunsOrFetchesAnything shows every hostile sample to a real browser, in a page without any policy, and
// sees what it asks for.
func TestNoBrowserRunsOrFetchesAnything(t *testing.T) {
	t.Parallel()
	chromium := testneed.Program(t, "chromium")
	var raw, clean []string
	for _, sample := range hostile {
		clean = append(clean, sanitised(sample.html))
		switch sample.name {
		case "onerror", "svg script", "remote image", "css url", "style import", "background attribute":
			raw = append(raw, sample.html)
		}
	}
	if asked := browse(t, chromium, raw); len(asked) < len(raw) {
		t.Fatalf("%d raw samples made the browser ask for %q only", len(raw), asked)
	}
	if asked := browse(t, chromium, clean); len(asked) > 0 {
		t.Errorf("the sanitised samples made the browser ask for %q", asked)
	}
}

// browse loads all pages, each in a frame of its own, and returns what was asked for beside them.
func browse(t *testing.T, chromium string, pages []string) (asked []string) {
	t.Helper()
	var mu sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sample/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		if _, err := fmt.Sscan(r.PathValue("n"), &n); err != nil || n >= len(pages) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, strings.ReplaceAll(pages[n], "HOST", r.Host))
	})
	mux.HandleFunc("GET /all", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for n := range pages {
			_, _ = fmt.Fprintf(w, "<iframe src=/sample/%d></iframe>", n)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path != "/favicon.ico" {
			asked = append(asked, r.URL.Path)
		}
		http.NotFound(w, r)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args := []string{"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=5000", "--user-data-dir=" + t.TempDir(), "--dump-dom"}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox")
	}
	cmd := exec.CommandContext(ctx, chromium, append(args, server.URL+"/all")...)
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "/sample/0") {
		t.Fatalf("chromium: %v\n%s", err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	return asked
}
