package notify

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"postern/store"
	"postern/store/mail"
)

// defaultGiveUp is how long a mail is tried when the caller says nothing: relay.give_up of MAIL §8.
const defaultGiveUp = 5 * 24 * time.Hour

// Catalogue translates. id is an English sentence with fmt verbs, args fill the verbs of its translation. An unknown
// language or id is answered in English. Every id that this package uses is in Phrases.
type Catalogue interface {
	Text(lang, id string, args ...any) string
}

// english is the language of the ids.
const english = "en"

// English is the Catalogue without translations: ids are the text.
type English struct{}

// Text fills id with args.
func (English) Text(_, id string, args ...any) string {
	if len(args) == 0 {
		return id
	}
	return fmt.Sprintf(id, args...)
}

// Organization is in whose name the mails are written.
type Organization struct {
	Name          string // "Example County Council"
	Short         string // "the council", for mails in Config.Lang; empty: Name
	Domains       []string
	Support       Support
	PostalAddress string
	Postmaster    string
}

// Support is the help desk as every mail names it. URL is never put into a mail: a mail has one link at most.
type Support struct{ Desk, Phone, Email, URL, Hours string }

// Config is what a Composer needs. From is NF of MAIL §6, Host names Message-IDs, SiteURL is pickup.url.
type Config struct {
	Org         Organization
	From        store.Address
	Host        string
	SiteURL     string
	FirstAccess store.Access     // how somebody without account comes to a message
	Tags        []string         // words that seal a message, in brackets in its subject (policy.tags); members are told the first
	Zone        *time.Location   // of every date; nil: UTC
	Text        Catalogue        // nil: English
	Lang        string           // of mails whose reader's language is not known, in BCP 47; empty: English
	Now         func() time.Time // nil: time.Now
}

// Composer writes mails. It is safe for concurrent use.
type Composer struct {
	org     Organization
	from    store.Address
	host    string
	first   store.Access
	tag     string // with its brackets; empty: there is none
	site    string // without trailing slash
	siteTip string // what a person types to reach the site
	support *mail.Mailbox
	zone    *time.Location
	cat     Catalogue
	lang    string
	now     func() time.Time
}

// New checks the configuration, reports all that is wrong with it at once, and makes a Composer.
func New(cfg Config) (*Composer, error) {
	c := &Composer{org: cleanOrganization(cfg.Org), from: cfg.From, host: cfg.Host, zone: cfg.Zone, first: cfg.FirstAccess, cat: cfg.Text,
		lang: cmp.Or(cfg.Lang, english), now: cfg.Now}
	errs := c.checkSite(cfg.SiteURL)
	if c.org.Name == "" {
		errs = append(errs, errors.New("the organisation has no name"))
	}
	if c.from.IsZero() || !c.from.ASCII() {
		errs = append(errs, errors.New("the From address of notifications is missing or not ASCII"))
	}
	if c.host == "" {
		errs = append(errs, errors.New("the host name is missing"))
	}
	errs = append(errs, c.checkSupport()...)
	if len(cfg.Tags) > 0 {
		c.tag = "[" + oneLine(cfg.Tags[0]) + "]"
	}
	c.setDefaults()
	return c, errors.Join(errs...)
}

func cleanOrganization(o Organization) Organization {
	o.Name, o.Short = oneLine(o.Name), oneLine(o.Short)
	o.PostalAddress, o.Postmaster = oneLine(o.PostalAddress), oneLine(o.Postmaster)
	s := &o.Support
	s.Desk, s.Phone, s.Email, s.Hours = oneLine(s.Desk), oneLine(s.Phone), oneLine(s.Email), oneLine(s.Hours)
	if o.Short == "" {
		o.Short = o.Name
	}
	return o
}

func (c *Composer) checkSite(site string) []error {
	c.site = strings.TrimRight(site, "/")
	u, err := url.Parse(c.site)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || !plainURL(c.site) {
		return []error{errors.New("the site's address is not a plain http or https URL")}
	}
	c.siteTip = u.Host + u.Path
	return nil
}

func (c *Composer) checkSupport() []error {
	if c.org.Support.Email == "" {
		return nil
	}
	a, err := store.ParseAddress(c.org.Support.Email)
	if err != nil || !a.ASCII() {
		return []error{errors.New("the help desk's address is not a plain ASCII address")}
	}
	c.support = &mail.Mailbox{Name: c.org.Support.Desk, Address: a}
	return nil
}

func (c *Composer) setDefaults() {
	if c.zone == nil {
		c.zone = time.UTC
	}
	if c.cat == nil {
		c.cat = English{}
	}
	if c.now == nil {
		c.now = time.Now
	}
}

// plainURL reports whether s is visible ASCII that needs no quoting in text, HTML or quoted-printable links.
func plainURL(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"'\\^`{|}", r) }) < 0
}

// errLink is the answer to a link that leads elsewhere than to the site (KEYS K15). The link itself is a secret.
var errLink = errors.New("the link does not start with the address of the site")

func (c *Composer) checkLink(link string) error {
	if !strings.HasPrefix(link, c.site+"/") || !plainURL(link) {
		return errLink
	}
	return nil
}
