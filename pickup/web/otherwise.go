package web

import "net/http"

// Otherwise gives requests that no route takes a page of the site's own: 404, or 405 with the Allow that the mux found.
func Otherwise(mux *http.ServeMux, fail func(w http.ResponseWriter, r *http.Request, status int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &statusProbe{header: http.Header{}}
		mux.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", probe.header.Get("Allow"))
		} else { // or the mux would lead to a cleaner path, which no route takes either
			probe.status = http.StatusNotFound
		}
		fail(w, r, probe.status)
	})
}

// statusProbe takes the mux's own plain-text answer, of which only status and headers are wanted.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }
