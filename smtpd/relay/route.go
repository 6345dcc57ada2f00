package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"

	"postern/store"
)

// TLSMode says how a connection to a next hop is protected.
type TLSMode string

// The modes. Opportunistic takes any certificate and goes on in clear where STARTTLS is not offered or fails; required
// takes any certificate; verified demands a chain to the roots and the host's name.
const (
	TLSNone          TLSMode = "none"
	TLSOpportunistic TLSMode = "opportunistic"
	TLSRequired      TLSMode = "required"
	TLSVerified      TLSMode = "verified"
)

// EightBit says what becomes of a body with 8-bit octets when the next hop lacks 8BITMIME (MAIL 8.3).
type EightBit string

// The choices; bounce is the default.
const (
	EightBitBounce EightBit = "bounce"
	EightBitSend   EightBit = "send"
)

// Oversize says what becomes of a message that is larger than the next hop takes (MAIL 8.3).
type Oversize string

// OversizeBounce is the default.
const OversizeBounce Oversize = "bounce"

// Auth is how we log on to a next hop; only ever over TLS, and only to a host whose certificate names it: whoever stands
// between could read the password with any other.
type Auth struct{ User, Password string }

// LogValue keeps the password out of logs.
func (a Auth) LogValue() slog.Value { return slog.StringValue(a.User) }

// String is the user without the password.
func (a Auth) String() string { return a.User }

// GoString is String, for %#v.
func (a Auth) GoString() string { return a.User }

// Route sends the mail of some domains to one next hop.
type Route struct {
	Domains    []string // "example.org", ".example.org" (all subdomains), "*"
	Host       string   // "name:port" or "address:port"; port 465 is TLS from the first octet (RFC 8314)
	Hosts      []string // more hosts, tried in order after Host
	TLS        TLSMode  // empty: opportunistic
	Auth       *Auth
	ClientCert *tls.Certificate // sent whenever the next hop asks for one (MAIL 8.5)
	Oversize   Oversize
	EightBit   EightBit
	Stamp      string // "Name: value", prepended to whatever goes this way; may be empty
	Sign       bool   // mail of internal authors that passes through gets our DKIM signature (MAIL 6.10)
}

// Validate answers all that is wrong with a route.
func (r Route) Validate() error {
	var errs []error
	if len(r.Domains) == 0 {
		errs = append(errs, errors.New("no domains"))
	}
	if len(r.hosts()) == 0 {
		errs = append(errs, errors.New("no host"))
	}
	for _, h := range r.hosts() {
		if host, port, err := net.SplitHostPort(h); err != nil || host == "" || port == "" {
			errs = append(errs, fmt.Errorf("host %q is not name:port", h))
		}
	}
	if !slices.Contains([]TLSMode{"", TLSNone, TLSOpportunistic, TLSRequired, TLSVerified}, r.TLS) {
		errs = append(errs, fmt.Errorf("tls %q is not none, opportunistic, required or verified", r.TLS))
	}
	if r.TLS != TLSVerified && r.Auth != nil {
		errs = append(errs, errors.New("auth needs tls verified"))
	}
	if !slices.Contains([]EightBit{"", EightBitBounce, EightBitSend}, r.EightBit) {
		errs = append(errs, fmt.Errorf("eight_bit %q is not bounce or send", r.EightBit))
	}
	if r.Oversize != "" && r.Oversize != OversizeBounce {
		errs = append(errs, fmt.Errorf("oversize %q is not bounce", r.Oversize))
	}
	if !validStamp(r.Stamp) {
		errs = append(errs, errors.New("stamp is not one line of the form Name: value"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("route %s: %w", r.Name(), err)
	}
	return nil
}

func validStamp(s string) bool {
	if s == "" {
		return true
	}
	name, _, ok := strings.Cut(s, ":")
	bad := func(c rune) bool { return c < ' ' && c != '\t' || c >= 0x7f }
	return ok && name != "" && !strings.ContainsAny(name, " \t") && strings.IndexFunc(s, bad) < 0 && len(s) <= 998
}

// Name is how logs and metrics call a route: its domains.
func (r Route) Name() string { return strings.Join(r.Domains, ",") }

// Matches reports whether mail for a domain goes this way. A literal such as [192.0.2.1] must be named (MAIL 2.2).
func (r Route) Matches(domain string) bool {
	domain = store.DomainKey(domain)
	literal := strings.HasPrefix(domain, "[")
	return slices.ContainsFunc(r.Domains, func(d string) bool {
		d = store.DomainKey(d)
		return d == "*" && !literal || d == domain || strings.HasPrefix(d, ".") && strings.HasSuffix(domain, d)
	})
}

func (r Route) hosts() []string {
	if r.Host == "" {
		return r.Hosts
	}
	return append([]string{r.Host}, r.Hosts...)
}

func (r Route) mode() TLSMode {
	if r.TLS == "" {
		return TLSOpportunistic
	}
	return r.TLS
}

// match finds the first route of a domain; len(routes) when there is none.
func match(routes []Route, domain string) int {
	if i := slices.IndexFunc(routes, func(r Route) bool { return r.Matches(domain) }); i >= 0 {
		return i
	}
	return len(routes)
}
