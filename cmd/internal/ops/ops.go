// Package ops is the listener for machines: Prometheus metrics, and whether the gateway is alive and ready.
//
// Counters are moved by the parts that do the work, through the small hook structs they define; gauges read the store
// when they are scraped. No label holds an address, a subject or anything else of a message.
package ops

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health answers whether the gateway can store mail.
type Health struct {
	ready atomic.Bool
	Check func(context.Context) error
}

// SetReady is called when the listeners are up, and again when the gateway drains.
func (h *Health) SetReady(ready bool) { h.ready.Store(ready) }

// checkTime bounds a readiness check: a load balancer does not wait longer.
const checkTime = 3 * time.Second

// Handler serves /metrics, /healthz and /readyz.
func Handler(registry *prometheus.Registry, h *Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if !h.ready.Load() {
			http.Error(w, "starting or draining", http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), checkTime)
		defer cancel()
		if err := h.Check(ctx); err != nil {
			http.Error(w, "mail cannot be stored now; the log says why", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}
