package config

import "net/netip"

// sharedClouds are the sending ranges of Microsoft 365 and Google Workspace, as spf.protection.outlook.com and
// _spf.google.com publish them. Every tenant of those clouds sends from the same addresses, so trusting them would let
// strangers relay as anybody (MAIL 1.2).
var sharedClouds = []string{
	"40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/15", "52.102.0.0/16", "52.103.0.0/17", "104.47.0.0/17",
	"2a01:111:f400::/48", "2a01:111:f403::/49", "2a01:111:f403:8000::/51", "2a01:111:f403:c000::/51", "2a01:111:f403:f000::/52",
	"35.190.247.0/24", "35.191.0.0/16", "64.233.160.0/19", "66.102.0.0/20", "66.249.80.0/20", "72.14.192.0/18",
	"74.125.0.0/16", "108.177.8.0/21", "108.177.96.0/19", "130.211.0.0/22", "142.250.0.0/15", "172.217.0.0/16",
	"172.253.56.0/21", "172.253.112.0/20", "173.194.0.0/16", "209.85.128.0/17", "216.58.192.0/19", "216.239.32.0/19",
	"2001:4860:4000::/36", "2404:6800:4000::/36", "2607:f8b0:4000::/36", "2800:3f0:4000::/36", "2a00:1450:4000::/36", "2c0f:fb50:4000::/36",
}

// untrustworthy says why a network must not be trusted, or nothing.
func untrustworthy(network string) string {
	p, err := netip.ParsePrefix(network)
	if err != nil {
		return ""
	}
	if p.Bits() == 0 {
		return "is everybody; name the addresses of your own mail servers"
	}
	for _, c := range sharedClouds {
		if p.Overlaps(netip.MustParsePrefix(c)) {
			return "overlaps the sending range of a shared mail cloud, from which every tenant sends; such a cloud cannot be trusted by address"
		}
	}
	return ""
}
