package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"postern/smtpd/policy"
	"postern/store"
)

// checker collects problems, each with its key.
type checker struct{ problems []string }

func (k *checker) add(key, format string, args ...any) {
	k.problems = append(k.problems, key+": "+fmt.Sprintf(format, args...))
}

func (k *checker) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.add(key, "%q is none of %s", value, strings.Join(allowed, ", "))
	}
}

func (k *checker) hostPort(key, value string) {
	if _, _, err := net.SplitHostPort(value); err != nil {
		k.add(key, "%q is not address:port", value)
	}
}

func (k *checker) address(key, value string) {
	if _, err := store.ParseAddress(value); err != nil {
		k.add(key, "%q is not an e-mail address", value)
	}
}

func (k *checker) networks(key string, list []string) {
	for i, n := range list {
		if _, err := netip.ParsePrefix(n); err != nil {
			k.add(fmt.Sprintf("%s[%d]", key, i), "%q is not a network such as 10.0.0.0/8", n)
		}
	}
}

func (k *checker) certificate(key string, t TLS) {
	if t.Set() && (t.CertFile == "" || t.KeyFile == "") {
		k.add(key, "cert_file and key_file go together")
	}
	k.readable(key, t.CertFile)
	k.readable(key, t.KeyFile)
}

// readable adds a problem when a file that is named cannot be opened.
func (k *checker) readable(key, name string) {
	if name == "" {
		return
	}
	file, err := os.Open(name)
	if err != nil {
		k.add(key, "cannot read %s: %v", name, err)
		return
	}
	file.Close()
}

// validate runs every check and returns all problems.
func (c *Config) validate() []string {
	k := &checker{}
	c.checkServer(k)
	c.checkOrganization(k)
	c.checkSMTP(k)
	c.checkRelay(k)
	c.checkDKIM(k)
	c.checkPolicy(k)
	c.checkPickup(k)
	c.checkListeners(k)
	k.oneOf("store.engine", c.Store.Engine, "bolt")
	k.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", c.Log.Format, "text", "json")
	k.oneOf("log.addresses", c.Log.Addresses, "plain", "hashed")
	return k.problems
}

func (c *Config) checkServer(k *checker) {
	if _, err := idna.Lookup.ToASCII(c.Hostname); c.Hostname == "" || err != nil {
		k.add("hostname", "%q is not a host name; set the name by which mail servers reach this gateway", c.Hostname)
	}
	if c.DataDir == "" {
		k.add("data_dir", "must be set")
	}
	if c.DrainTimeout <= 0 || c.DrainTimeout > time.Hour {
		k.add("drain_timeout", "%s is not between 1s and 1h", c.DrainTimeout)
	}
	for _, l := range []struct{ key, value string }{{"admin.listen", c.Admin.Listen}, {"ops.listen", c.Ops.Listen}} {
		if l.value != "" {
			k.hostPort(l.key, l.value)
		}
	}
	if c.Admin.Listen != "" {
		k.siteURL("admin", c.Admin.URL, c.Admin.TLS, "administrators'")
	}
	k.certificate("admin.tls", c.Admin.TLS)
}

// checkListeners finds addresses that two listeners claim; a port of 0 is any free one.
func (c *Config) checkListeners(k *checker) {
	taken := map[string]string{}
	claim := func(key, addr string) {
		if _, port, err := net.SplitHostPort(addr); err != nil || port == "0" {
			return
		}
		if other, ok := taken[addr]; ok {
			k.add(key, "%s is the address of %s already", addr, other)
		}
		taken[addr] = key
	}
	for i, addr := range c.SMTP.Listen {
		claim(fmt.Sprintf("smtp.listen[%d]", i), addr)
	}
	claim("pickup.listen", c.Pickup.Listen)
	claim("admin.listen", c.Admin.Listen)
	claim("ops.listen", c.Ops.Listen)
}

func (c *Config) checkOrganization(k *checker) {
	if c.Organization.Name == "" {
		k.add("organization.name", "must be set: pages and mails name it")
	}
	if len(c.Organization.Domains) == 0 {
		k.add("organization.domains", "must name at least one mail domain of the organisation")
	}
	for i, d := range c.Organization.Domains {
		if _, err := store.ParseAddress("x@" + strings.TrimPrefix(d, ".")); err != nil {
			k.add(fmt.Sprintf("organization.domains[%d]", i), "%q is not a domain", d)
		}
	}
	if len(c.Organization.Domains) > 0 {
		k.address("organization.postmaster", c.Organization.Postmaster)
		if a, err := store.ParseAddress(c.Organization.Postmaster); err == nil && !c.Internal(c.Hostname) && store.DomainKey(a.Domain) == store.DomainKey(c.Hostname) {
			k.add("organization.postmaster", "%s is at this gateway itself, which keeps no mailboxes: its letters would go round in circles; name a mailbox at your mail server", c.Organization.Postmaster)
		}
		k.address("notify.from", c.Notify.From)
	}
	if c.Organization.Support.Email != "" {
		k.address("organization.support.email", c.Organization.Support.Email)
	}
	if link := c.Organization.Support.URL; link != "" {
		if u, err := url.Parse(link); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			k.add("organization.support.url", "%q is not an address such as https://help.example.org", link)
		}
	}
	if _, err := time.LoadLocation(c.Organization.Timezone); err != nil {
		k.add("organization.timezone", "%q is not a time zone such as Europe/London", c.Organization.Timezone)
	}
}

func (c *Config) checkSMTP(k *checker) {
	if len(c.SMTP.Listen) == 0 {
		k.add("smtp.listen", "must name at least one address:port")
	}
	for i, l := range c.SMTP.Listen {
		k.hostPort(fmt.Sprintf("smtp.listen[%d]", i), l)
	}
	k.networks("smtp.trusted_networks", c.SMTP.TrustedNetworks)
	for i, n := range c.SMTP.TrustedNetworks {
		if why := untrustworthy(n); why != "" {
			k.add(fmt.Sprintf("smtp.trusted_networks[%d]", i), "%s %s", n, why)
		}
	}
	k.certificate("smtp.tls", c.SMTP.TLS)
	if c.SMTP.MaxMessageSize < 64<<10 || c.SMTP.MaxMessageSize > 2<<30 {
		k.add("smtp.max_message_size", "%s is not between 64KiB and 2GiB", c.SMTP.MaxMessageSize)
	}
}

func (c *Config) checkRelay(k *checker) {
	if len(c.Relay.Routes) == 0 {
		k.add("relay.routes", "must name at least one route")
	}
	for i, r := range c.Relay.Routes {
		c.checkRoute(k, fmt.Sprintf("relay.routes[%d]", i), r)
	}
	if c.Relay.GiveUp < time.Hour {
		k.add("relay.give_up", "%s is under 1h", c.Relay.GiveUp)
	}
	if c.Notify.DelayNotice < time.Second {
		k.add("notify.delay_notice", "%s is under 1s", c.Notify.DelayNotice)
	}
	for i, d := range c.Relay.Retry {
		if d <= 0 {
			k.add(fmt.Sprintf("relay.retry[%d]", i), "must be longer than nothing")
		}
	}
}

func (c *Config) checkRoute(k *checker, key string, r Route) {
	if len(r.Domains) == 0 {
		k.add(key+".domains", "must name domains, or \"*\"")
	}
	if r.MX {
		k.add(key+".mx", "direct delivery by MX does not exist yet; name the mail server in host")
	}
	hosts := r.AllHosts()
	if len(hosts) == 0 && !r.MX {
		k.add(key+".host", "must name the next mail server as name:port")
	}
	for _, h := range hosts {
		k.hostPort(key+".host", h)
		if slices.Contains(c.SMTP.Listen, h) {
			k.add(key+".host", "%s is this gateway's own listener: mail would go round in a loop", h)
		}
	}
	k.oneOf(key+".tls", r.TLS, "none", "opportunistic", "required", "verified")
	k.oneOf(key+".eight_bit", r.EightBit, "bounce", "send")
	k.certificate(key+".client_cert", r.ClientCert)
	if (r.Auth.User == "") != (r.Auth.PasswordFile == "") {
		k.add(key+".auth", "user and password_file go together")
	}
	k.readable(key+".auth", r.Auth.PasswordFile)
	if r.Auth.User != "" && r.TLS != "verified" {
		k.add(key+".auth", "a password is sent only to a host whose certificate proves its name, so that nobody between can read it: set tls to verified")
	}
	if r.Stamp != "" && !strings.Contains(r.Stamp, ": ") {
		k.add(key+".stamp", "%q is not \"Name: value\"", r.Stamp)
	}
}

// AllHosts is host and hosts together, in order.
func (r Route) AllHosts() []string {
	if r.Host == "" {
		return r.Hosts
	}
	return append([]string{r.Host}, r.Hosts...)
}

func (c *Config) checkPolicy(k *checker) {
	k.oneOf("policy.near_miss", c.Policy.NearMiss, "seal", "off")
	if c.Policy.ThreadMemory < 0 {
		k.add("policy.thread_memory", "must not be negative")
	}
	if _, err := policy.Compile(c.PolicyConfig()); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			k.problems = append(k.problems, line)
		}
	}
}

func (c *Config) checkPickup(k *checker) {
	k.hostPort("pickup.listen", c.Pickup.Listen)
	k.siteURL("pickup", c.Pickup.URL, c.Pickup.TLS, "recipients'")
	if c.Pickup.ExpireAfter < time.Hour {
		k.add("pickup.expire_after", "%s is under 1h", c.Pickup.ExpireAfter)
	}
	k.oneOf("pickup.first_access", c.Pickup.FirstAccess, "password", "temporary-password", "code")
	switch c.Pickup.Recovery {
	case "activate", "temporary-password", "reset-link":
	default:
		k.add("pickup.recovery", "%q does not exist; the values are activate, temporary-password and reset-link", c.Pickup.Recovery)
	}
	k.oneOf("pickup.language", c.Pickup.Language, "en", "ar", "cy", "de", "es", "fr", "pl")
	for i, host := range c.Pickup.Aliases {
		if _, err := idna.Lookup.ToASCII(host); host == "" || err != nil {
			k.add(fmt.Sprintf("pickup.aliases[%d]", i), "%q is not a host name", host)
		}
	}
	k.networks("pickup.trusted_proxies", c.Pickup.TrustedProxies)
	k.certificate("pickup.tls", c.Pickup.TLS)
}

// siteURL checks the public address of a site.
func (k *checker) siteURL(section, address string, t TLS, whose string) {
	key := section + ".url"
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		k.add(key, "%q is not the site's address such as https://secure-mail.example.org", address)
	case u.Path != "":
		k.add(key, "%q has a path; the site needs a host name of its own", address)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		k.add(key, "http is for loopback only; %s passwords need https", whose)
	case u.Scheme == "http" && t.Set():
		k.add(key, "begins with http, but %s.tls has a certificate: the site answers https", section)
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// PolicyConfig is the policy's part in its own terms.
func (c *Config) PolicyConfig() policy.Config {
	return policy.Config{
		Tags: c.Policy.Tags, TriggerHeaders: c.Policy.TriggerHeaders, NearMiss: c.Policy.NearMiss == "seal",
		Senders: c.Policy.Senders, Rules: c.Policy.Rules, Internal: c.Internal, Support: c.Organization.Support.InLine(),
	}
}

// InLine names the help desk in one line, for replies that a sender reads inside a report.
func (s Support) InLine() string {
	var parts []string
	for _, p := range []string{s.Desk, s.Phone, s.Email} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return "your administrator"
	}
	return strings.Join(parts, ", ")
}

// Internal reports whether a domain is the organisation's: an entry as it stands, or ".example.org" for all
// subdomains (MAIL "Words").
func (c *Config) Internal(domain string) bool {
	d := store.DomainKey(domain)
	return slices.ContainsFunc(c.Organization.Domains, func(entry string) bool {
		e := store.DomainKey(entry)
		return d == e || strings.HasPrefix(e, ".") && strings.HasSuffix(d, e)
	})
}
