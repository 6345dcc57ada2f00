package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed static
var static embed.FS

// Assets serves the style sheet and the script. Their addresses carry a digest, so browsers may keep them for ever.
type Assets struct {
	files map[string]asset
}

type asset struct {
	body   []byte
	digest string
	kind   string
}

// NewAssets reads the built-in files. More are added by Add before the site serves.
func NewAssets() (*Assets, error) {
	a := &Assets{files: map[string]asset{}}
	entries, err := fs.ReadDir(static, "static")
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	for _, e := range entries {
		body, err := fs.ReadFile(static, path.Join("static", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("static file: %w", err)
		}
		if err := a.Add(e.Name(), body); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Add adds a file, such as the colours of an organisation.
func (a *Assets) Add(name string, body []byte) error {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/vnd.microsoft.icon"}
	kind, ok := kinds[path.Ext(name)]
	if !ok {
		return fmt.Errorf("static file %s: kind not known", name)
	}
	sum := sha256.Sum256(body)
	a.files[name] = asset{body: body, digest: hex.EncodeToString(sum[:6]), kind: kind}
	return nil
}

// Has reports whether there is such a file.
func (a *Assets) Has(name string) bool { _, ok := a.files[name]; return ok }

// URL is where a file is served, or "" when there is none.
func (a *Assets) URL(name string) string {
	f, ok := a.files[name]
	if !ok {
		return ""
	}
	return "/static/" + name + "?v=" + f.digest
}

// ServeFile answers GET /static/{file}; notFound does so for names that are not there. The files hold nothing private, and a sandboxed document
// (the print page) has no origin, so any origin may load them.
func (a *Assets) ServeFile(notFound http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, ok := a.files[r.PathValue("file")]
		if !ok {
			notFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.kind)
		h.Set("ETag", `"`+f.digest+`"`)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		FilePolicy().Set(h)
		if r.URL.Query().Get("v") == f.digest {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
	}
}
