package config

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// YAML writes the configuration in force. Secrets are never in a Config: it holds the names of their files.
func (c Config) YAML() string {
	var b strings.Builder
	writeStruct(&b, reflect.ValueOf(c), 0)
	return b.String()
}

func writeStruct(b *strings.Builder, v reflect.Value, depth int) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("mapstructure")
		fmt.Fprintf(b, "%s%s:", strings.Repeat("  ", depth), name)
		writeValue(b, v.Field(i), depth)
	}
}

func writeValue(b *strings.Builder, v reflect.Value, depth int) {
	switch x := v.Interface().(type) {
	case time.Duration:
		fmt.Fprintf(b, " %s\n", durationText(x))
		return
	case Size:
		fmt.Fprintf(b, " %s\n", x)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		b.WriteByte('\n')
		writeStruct(b, v, depth+1)
	case reflect.Slice:
		writeList(b, v, depth)
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString(" null\n")
			return
		}
		writeValue(b, v.Elem(), depth)
	case reflect.String:
		fmt.Fprintf(b, " %q\n", v.String())
	default:
		fmt.Fprintf(b, " %v\n", v.Interface())
	}
}

func writeList(b *strings.Builder, v reflect.Value, depth int) {
	if v.Len() == 0 {
		b.WriteString(" []\n")
		return
	}
	b.WriteByte('\n')
	for i := range v.Len() {
		fmt.Fprintf(b, "%s-", strings.Repeat("  ", depth+1))
		writeValue(b, v.Index(i), depth+2)
	}
}

func durationText(d time.Duration) string {
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

// InWords says what the configuration means for mail: who may relay, where mail goes, what is sealed, and what an
// administrator should know before going live.
func (c Config) InWords() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("The configuration is valid.")
	say("Mail is taken on %s as %s, up to %s a message.", strings.Join(c.SMTP.Listen, ", "), c.Hostname, c.SMTP.MaxMessageSize)
	say("May relay, from any sender to any recipient: hosts in %s. Everybody else reaches postmaster@%s alone, which goes on to %s.", strings.Join(c.SMTP.TrustedNetworks, ", "), c.Hostname, c.Organization.Postmaster)
	for _, r := range c.Relay.Routes {
		say("Mail to %s goes to %s, TLS %s.", strings.Join(r.Domains, ", "), strings.Join(r.AllHosts(), ", then "), r.TLS)
	}
	c.policyInWords(say)
	say("Recipients read it at %s within %s.", c.Pickup.URL, durationText(c.Pickup.ExpireAfter))
	if c.Admin.Listen != "" {
		say("Administrators use the console at %s.", c.Admin.URL)
	}
	say("Who forgets the password %s.", recoveryWords(c.Pickup.Recovery))
	c.dkimInWords(say)
	for _, note := range c.Notes() {
		say("Note: %s", note)
	}
	return b.String()
}

func recoveryWords(recovery string) string {
	switch recovery {
	case "temporary-password":
		return "gets a temporary one by mail and must choose another with it (24 hours)"
	case "reset-link":
		return "gets a link by mail to choose another (24 hours, once)"
	}
	return "types a new one, which counts when it is activated from a mail (24 hours)"
}

// Notes are things that are allowed but that an administrator should know.
func (c Config) Notes() (notes []string) {
	const longestURL = 36 // longer, and the link's line exceeds 76 characters (KEYS K2)
	if len(c.Pickup.URL) > longestURL {
		notes = append(notes, fmt.Sprintf("pickup.url has %d characters; over %d the link no longer fits a line of 76, and some mail programs may break it", len(c.Pickup.URL), longestURL))
	}
	notes = append(notes, "without a bounce domain, bounces of notifications go to the sender of the message and do not change its state here")
	if behindProxy(c.Pickup) {
		notes = append(notes, "the site has no certificate of its own, so a proxy answers for it: keep /p/, /w/, /a/, /n/, /r/ and /v/ out of the proxy's access and error logs (docs/operations.md has the settings)")
	}
	if behindProxy(c.Pickup) && len(c.Pickup.TrustedProxies) == 0 {
		notes = append(notes, "pickup.trusted_proxies is empty while a proxy answers for the site: all visitors look like one client, so that one who guesses passwords slows everybody's log-on down; name the proxy's address")
	}
	if u, err := url.Parse(c.Admin.URL); c.Admin.Listen != "" && err == nil && u.Scheme == "https" && !c.Admin.TLS.Set() {
		notes = append(notes, "the console has no certificate of its own, so a proxy answers for it: name it in pickup.trusted_proxies, and keep /n/ out of its access and error logs")
	}
	if !c.SMTP.TLS.Set() {
		notes = append(notes, "smtp.tls has no certificate: mail servers cannot use STARTTLS towards this gateway")
	}
	if c.Notify.ConfirmSender {
		notes = append(notes, "notify.confirm_sender is on, but confirmations do not exist yet")
	}
	notes = append(notes, c.DKIMNotes()...)
	if c.Organization.Support.Phone == "" && c.Organization.Support.Email == "" {
		notes = append(notes, "organization.support has neither phone nor email: recipients in trouble find nobody to ask")
	}
	if c.Organization.PostalAddress == "" {
		notes = append(notes, "organization.postal_address is empty: some laws want it in mails")
	}
	return notes
}

// behindProxy reports whether a proxy must answer for the site: its address is https, and it has no certificate.
func behindProxy(p Pickup) bool {
	u, err := url.Parse(p.URL)
	return err == nil && u.Scheme == "https" && !p.TLS.Set()
}
