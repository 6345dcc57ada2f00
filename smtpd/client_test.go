package smtpd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

// fakeDNS answers from maps.
type fakeDNS struct {
	names map[string][]string
	addrs map[string][]netip.Addr
}

var _ DNS = (*net.Resolver)(nil)

var errNoName = errors.New("no such name")

func (d fakeDNS) LookupAddr(_ context.Context, addr string) ([]string, error) {
	if names, ok := d.names[addr]; ok {
		return names, nil
	}
	return nil, errNoName
}

func (d fakeDNS) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if addrs, ok := d.addrs[host]; ok {
		return addrs, nil
	}
	return nil, errNoName
}

func TestResolverBelievesNamesThatLeadBack(t *testing.T) {
	t.Parallel()
	a4, mapped, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("192.0.2.9")
	resolve := Resolver(fakeDNS{
		names: map[string][]string{
			"192.0.2.1": {"gone.example.", "forged.example.", "mx.example."}, "192.0.2.9": {"forged.example.", "mx.example."},
		},
		addrs: map[string][]netip.Addr{"mx.example.": {netip.MustParseAddr("2001:db8::1"), mapped}, "forged.example.": {netip.MustParseAddr("192.0.2.77")}},
	})
	for addr, want := range map[netip.Addr]string{a4: "mx.example", other: "", netip.MustParseAddr("2001:db8::1"): ""} {
		if got := resolve(t.Context(), addr); got != want {
			t.Errorf("%v: %q, want %q", addr, got, want)
		}
	}
}
