package config

import (
	"fmt"
	"strings"

	"postern/smtpd/dkim"
	"postern/store"
)

// checkDKIM reads the keys: what is wrong with one is known before mail depends on it.
func (c *Config) checkDKIM(k *checker) {
	if _, err := dkim.Load(c.DKIMKeys()); err != nil {
		k.problems = append(k.problems, strings.Split(err.Error(), "\n")...)
	}
	for i, r := range c.Relay.Routes {
		if r.DKIMSign && len(c.DKIM) == 0 {
			k.add(fmt.Sprintf("relay.routes[%d].dkim_sign", i), "there is no key to sign with: name one in dkim")
		}
	}
}

// DKIMKeys are the keys in their package's own terms.
func (c *Config) DKIMKeys() (keys []dkim.Key) {
	for _, d := range c.DKIM {
		keys = append(keys, dkim.Key{Domain: d.Domain, Selector: d.Selector, File: d.KeyFile})
	}
	return keys
}

// dkimInWords says what is signed, and what is to be published for it.
func (c *Config) dkimInWords(say func(format string, args ...any)) {
	keys, err := dkim.Load(c.DKIMKeys())
	if err != nil || len(c.DKIM) == 0 {
		return // validate told of it
	}
	var domains, routes []string
	seen := map[string]bool{}
	for _, d := range c.DKIM {
		if !seen[d.Domain] {
			domains = append(domains, d.Domain)
		}
		seen[d.Domain] = true
	}
	for _, r := range c.Relay.Routes {
		if r.DKIMSign {
			routes = append(routes, strings.Join(r.Domains, ", "))
		}
	}
	say("Signed with DKIM: the mail that Postern writes from addresses of %s.", strings.Join(domains, ", "))
	if len(routes) > 0 {
		say("Signed as well: mail of authors of these domains that passes through to %s.", strings.Join(routes, ", "))
	}
	for _, r := range keys.Records() {
		say("To be published in DNS: %s", r)
	}
}

// DKIMNotes are the domains whose mail goes out without a signature though it should have one (MAIL 6.9). Keys that do
// not load cover nothing.
func (c *Config) DKIMNotes() (notes []string) {
	keys, err := dkim.Load(c.DKIMKeys())
	if err != nil {
		keys = nil
	}
	noted := map[string]bool{}
	for _, from := range []struct{ key, address string }{
		{"notify.from", c.Notify.From}, {"organization.postmaster", c.Organization.Postmaster},
	} {
		a, err := store.ParseAddress(from.address)
		if err != nil || keys.Covers(a.Domain) || noted[store.DomainKey(a.Domain)] {
			continue
		}
		noted[store.DomainKey(a.Domain)] = true
		notes = append(notes, fmt.Sprintf("no key in dkim covers %s, the domain of %s: unless the mail server behind signs it, mail of Postern's own leaves unsigned and may be taken for forged", a.Domain, from.key))
	}
	for i, r := range c.Relay.Routes {
		for _, d := range c.Organization.Domains {
			if r.DKIMSign && !strings.HasPrefix(d, ".") && !keys.Covers(d) {
				notes = append(notes, fmt.Sprintf("relay.routes[%d].dkim_sign: no key in dkim covers %s, so mail of its authors passes unsigned", i, d))
			}
		}
	}
	return notes
}
