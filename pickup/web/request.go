package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// facts is what the middleware knows of a request. One value per request, written by its own goroutine only.
type facts struct {
	reference string
	at        time.Time
	client    netip.Addr
	lang      string
	notes     []slog.Attr
}

type factsKey struct{}

func factsOf(ctx context.Context) *facts {
	if f, ok := ctx.Value(factsKey{}).(*facts); ok {
		return f
	}
	return &facts{lang: English}
}

// Reference names a request in the log and on error pages, such as "K7QF-2M9D". It is no secret and leads nowhere.
func Reference(ctx context.Context) string { return factsOf(ctx).reference }

// Arrived is when the request came in.
func Arrived(ctx context.Context) time.Time { return factsOf(ctx).at }

// ClientIP is the address of the browser, or of the nearest proxy that is not trusted.
func ClientIP(ctx context.Context) netip.Addr { return factsOf(ctx).client }

// Lang is the language of the answer.
func Lang(ctx context.Context) string { return factsOf(ctx).lang }

// Speak sets the language of the answer, for a visitor whose account says which one. The caller has checked that the
// catalogue has it.
func Speak(ctx context.Context, lang string) { factsOf(ctx).lang = lang }

// Note adds a field to the request's log line. Callers pass ids and counts, never content, tokens or secrets; of a
// lookup they pass Short.
func Note(ctx context.Context, key string, value any) {
	f := factsOf(ctx)
	f.notes = append(f.notes, slog.Any(key, value))
}

// Short is the first 8 characters of an id, all that a log may show of a link's lookup (KEYS K15).
func Short(id string) string { return id[:min(len(id), 8)] }

// newReference draws 40 bits; base32 has no digit that looks like a letter in it.
func newReference() string {
	s := rand.Text()
	return s[:4] + "-" + s[4:8]
}

// clientIP walks X-Forwarded-For from the right, past every trusted proxy. What an untrusted client wrote into the
// field is never believed.
func clientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer := peerIP(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && isTrusted(peer, trusted); i-- {
		next, err := netip.ParseAddr(hopHost(hops[i]))
		if err != nil {
			break
		}
		peer = next.Unmap().WithZone("")
	}
	return peer
}

func peerIP(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// hopHost takes an address out of "192.0.2.1", "192.0.2.1:5000" or "[2001:db8::1]:5000".
func hopHost(hop string) string {
	hop = strings.TrimSpace(hop)
	if host, _, err := net.SplitHostPort(hop); err == nil {
		return host
	}
	return strings.Trim(hop, "[]")
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
