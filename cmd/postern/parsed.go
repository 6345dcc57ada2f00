package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"postern/cmd/internal/config"
	"postern/store"
)

// parsed is what the configuration says, in the types that the parts take.
type parsed struct {
	zone       *time.Location // of the organisation
	from       store.Address  // of notifications
	postmaster store.Address  // of the organisation
	siteURL    *url.URL
	consoleURL *url.URL       // without a host where the console is off
	trusted    []netip.Prefix // who may relay
	proxies    []netip.Prefix // who may say for whom they ask
}

// parse reads all of it, and names every key that does not read. Those that `config check` passes do.
func parse(c config.Config) (p parsed, err error) {
	err = errors.Join(
		read(&p.zone, "organization.timezone", c.Organization.Timezone, time.LoadLocation),
		read(&p.from, "notify.from", c.Notify.From, store.ParseAddress),
		read(&p.postmaster, "organization.postmaster", c.Organization.Postmaster, store.ParseAddress),
		read(&p.siteURL, "pickup.url", c.Pickup.URL, url.Parse),
		read(&p.consoleURL, "admin.url", c.Admin.URL, url.Parse),
		readAll(&p.trusted, "smtp.trusted_networks", c.SMTP.TrustedNetworks, netip.ParsePrefix),
		readAll(&p.proxies, "pickup.trusted_proxies", c.Pickup.TrustedProxies, netip.ParsePrefix),
	)
	return p, err
}

func read[T any](into *T, key, text string, parse func(string) (T, error)) (err error) {
	if *into, err = parse(text); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func readAll[T any](into *[]T, key string, texts []string, parse func(string) (T, error)) error {
	var errs []error
	for i, text := range texts {
		var one T
		errs = append(errs, read(&one, fmt.Sprintf("%s[%d]", key, i), text, parse))
		*into = append(*into, one)
	}
	return errors.Join(errs...)
}
