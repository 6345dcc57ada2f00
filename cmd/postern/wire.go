package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/cmd/internal/config"
	"postern/cmd/internal/ops"
	"postern/pickup"
	"postern/pickup/account"
	"postern/pickup/admin"
	adminsite "postern/pickup/admin/console"
	"postern/pickup/message"
	"postern/pickup/notify"
	"postern/pickup/web"
	"postern/smtpd"
	"postern/smtpd/dkim"
	"postern/smtpd/dsn"
	"postern/smtpd/intake"
	"postern/smtpd/policy"
	"postern/smtpd/relay"
	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
	"postern/store/sweep"
)

// gateway holds the parts of one running Postern. newGateway makes them in the order in which they need each other;
// nothing runs before serve starts it.
type gateway struct {
	cfg     config.Config
	parsed  parsed // what cfg says, in the types of the parts
	log     *slog.Logger
	hide    *hider // nil: addresses are logged as they are
	room    *room
	metrics *ops.Metrics
	health  *ops.Health
	reg     *prometheus.Registry

	db       store.Store
	keys     *seal.ServerKeys
	macs     macKeys
	ring     *seal.Ring
	outbox   *outbox.Outbox
	mails    *notify.Composer
	intake   *intake.Intake
	dkim     *dkim.Keys
	runner   *relay.Runner
	hops     *hopBook
	recorder *message.Recorder
	accounts *account.Service
	later    *account.Later
	messages *message.Service
	admin    *admin.Service
	sweeper  *sweep.Sweeper
	smtp     *smtpd.Server
	site     *pickup.Site
	conns    *web.Conns // of the site
	smtpCert *smtpd.Certificate
	siteCert *smtpd.Certificate

	desk      *adminsite.Console // the administrators' site; nil: off
	deskConns *web.Conns
	deskCert  *smtpd.Certificate
}

// newGateway builds everything on an open store. It fails before anything was changed when keys or files are not as
// they must be.
func newGateway(ctx context.Context, cfg config.Config, db store.Store, log *slog.Logger) (*gateway, error) {
	p, err := parse(cfg)
	if err != nil {
		return nil, setupError{err}
	}
	g := &gateway{cfg: cfg, parsed: p, log: log, hide: hiderOf(log), db: db, room: newRoom(cfg), reg: prometheus.NewRegistry()}
	g.metrics = ops.NewMetrics(g.reg)
	ops.RegisterStore(g.reg, db, time.Now)
	g.health = &ops.Health{Check: g.canStore}
	for _, step := range []func(context.Context) error{
		g.openSecrets, g.buildMails, g.buildIntake, g.buildRelay, g.buildServices, g.buildSMTP, g.buildSite, g.buildConsole, g.addGauges,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// canStore answers an error while mail cannot be stored.
func (g *gateway) canStore(ctx context.Context) error {
	return errors.Join(g.db.Check(ctx), g.room.check(0))
}

// openSecrets opens the server key, the MAC keys and the queue ring. From then on the log knows how to spell addresses,
// and the store's changes of state are logged.
func (g *gateway) openSecrets(ctx context.Context) (err error) {
	if g.keys, err = openKeys(ctx, g.db, g.cfg.ServerKey); err != nil {
		return err
	}
	if g.macs, err = openMACKeys(ctx, g.db, g.keys); err != nil {
		return setupError{err}
	}
	if g.ring, err = seal.OpenRing(g.cfg.DataDir+"/keys", time.Now); err != nil {
		return setupError{fmt.Errorf("queue keys: %w", err)}
	}
	g.outbox = outbox.New(outbox.Config{Ring: g.ring, Origin: g.macs.origin})
	if g.hide != nil {
		g.hide.use(g.macs.origin)
	}
	g.db = stateStore{g.db, g.log, g.logAddress()}
	return nil
}

func (g *gateway) buildMails(context.Context) error {
	o := g.cfg.Organization
	text, err := g.texts()
	if err != nil {
		return err
	}
	g.mails, err = notify.New(notify.Config{
		Org: notify.Organization{
			Name: o.Name, Short: o.ShortName, Domains: o.Domains, PostalAddress: o.PostalAddress, Postmaster: o.Postmaster,
			Support: notify.Support(o.Support),
		},
		From: g.parsed.from, Host: g.cfg.Hostname, SiteURL: g.cfg.Pickup.URL, FirstAccess: g.access(), Tags: g.cfg.Policy.Tags, Zone: g.parsed.zone, Text: text, Lang: g.cfg.Pickup.Language,
		Now: time.Now,
	})
	return err
}

// texts is the catalogue, for readers of whom no language is known in that of the configuration.
func (g *gateway) texts() (*web.Catalogue, error) {
	all, err := web.Builtin()
	if err != nil {
		return nil, err
	}
	text, err := all.Falling(g.cfg.Pickup.Language)
	if err != nil {
		return nil, setupError{fmt.Errorf("pickup.language: %w", err)}
	}
	return text, nil
}

// access is how somebody without account comes to a message.
func (g *gateway) access() store.Access { return store.Access(g.cfg.Pickup.FirstAccess) }

func (g *gateway) buildIntake(context.Context) error {
	rules, err := policy.Compile(g.cfg.PolicyConfig())
	if err != nil {
		return setupError{err}
	}
	g.intake = intake.New(intake.Config{
		Store: g.db, Policy: rules, Keys: g.keys, Ring: g.ring, Threads: g.macs.threads, Outbox: g.outbox,
		Notices: notices{g.mails, g.cfg.Pickup.URL}, Reports: g.reports(), Internal: g.cfg.Internal, FirstAccess: g.access(),
		Host: g.cfg.Hostname, ExpireAfter: g.cfg.Pickup.ExpireAfter, GiveUp: g.cfg.Relay.GiveUp, ThreadMemory: g.cfg.Policy.ThreadMemory,
		SealedHour: sealedPerHour, SealedDay: sealedPerDay, RepliesHour: repliesPerHour, RepliesDay: repliesPerDay,
		LogAddress: g.logAddress(), Log: g.log, Now: time.Now,
	})
	return nil
}

// How many recipients one author's mail may be sealed for (MAIL 9.1).
const (
	sealedPerHour = 500
	sealedPerDay  = 5000
)

// How many replies an account may write on the site: more than a person does, less than a flood.
const (
	repliesPerHour = 60
	repliesPerDay  = 300
)

func (g *gateway) buildRelay(context.Context) error {
	routes, err := g.routes()
	if err != nil {
		return setupError{err}
	}
	if g.dkim, err = dkim.Load(g.cfg.DKIMKeys()); err != nil {
		return setupError{err}
	}
	g.hops = newHopBook(routes, g.metrics.HopsDown, time.Now)
	g.runner, err = relay.New(relay.Config{
		Store: g.db, Ring: g.ring, Outbox: g.outbox, Routes: routes, Sign: g.sign, Host: g.cfg.Hostname, Ehlo: g.cfg.Relay.Ehlo,
		OrgName: g.cfg.Organization.Name, Postmaster: g.parsed.postmaster, Zone: g.parsed.zone, Internal: g.cfg.Internal,
		Backoff: g.cfg.Relay.Retry, GiveUp: g.cfg.Relay.GiveUp, DelayNotice: g.cfg.Notify.DelayNotice,
		Phrases: dsn.English(), Replies: failedReplies{g.mails, g.db}, Hooks: g.relayHooks(), Log: g.log, Now: time.Now,
		LogAddress: g.logAddress(),
	})
	return err
}

func (g *gateway) routes() ([]relay.Route, error) {
	var routes []relay.Route
	for i, r := range g.cfg.Relay.Routes {
		route := relay.Route{
			Domains: r.Domains, Hosts: r.AllHosts(), TLS: relay.TLSMode(r.TLS), Stamp: r.Stamp, EightBit: relay.EightBit(r.EightBit),
			Sign: r.DKIMSign,
		}
		if r.Auth.User != "" {
			password, err := os.ReadFile(r.Auth.PasswordFile)
			if err != nil {
				return nil, fmt.Errorf("relay.routes[%d].auth: %w", i, err)
			}
			route.Auth = &relay.Auth{User: r.Auth.User, Password: strings.TrimRight(string(password), "\r\n")}
		}
		if r.ClientCert.Set() {
			cert, err := tls.LoadX509KeyPair(r.ClientCert.CertFile, r.ClientCert.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("relay.routes[%d].client_cert: %w", i, err)
			}
			route.ClientCert = &cert
		}
		routes = append(routes, route)
	}
	return routes, nil
}

func (g *gateway) buildServices(context.Context) error {
	g.recorder = message.NewRecorder(g.db, g.log, time.Now)
	g.later = account.NewLater()
	g.accounts = account.New(account.Config{
		Store: g.db, Keys: g.keys, Outbox: g.outbox, Mails: g.mails, Recorder: g.recorder, SiteURL: g.cfg.Pickup.URL,
		Organization: []string{g.cfg.Organization.Name, g.cfg.Organization.ShortName},
		KeepLoggedIn: g.cfg.Pickup.KeepLoggedIn, Recovery: account.Recovery(g.cfg.Pickup.Recovery), Later: g.later.Do, Now: time.Now, Log: g.log,
	})
	g.messages = message.New(message.Config{
		Store: g.db, Keys: g.keys, Seeds: g.accounts, Outbox: g.outbox, Mails: g.mails, Sender: roomy{g.intake, g.room}, Recorder: g.recorder,
		SiteURL: g.cfg.Pickup.URL, Internal: g.cfg.Internal, Tags: g.cfg.Policy.Tags, KeepTag: g.cfg.Pickup.ReplyKeepTag,
		Unsettled: g.runner.Unsettled, Now: time.Now, Log: g.log,
	})
	g.admin = admin.New(admin.Config{
		Store: g.db, Keys: g.keys, Threads: g.macs.threads, Messages: g.messages, Users: g.accounts, Runner: delivering{g.runner, g.hops},
		Explain: explainer{g.intake}, LogOns: g.accounts, Mails: g.mails, Outbox: g.outbox, Recorder: g.recorder, ConsoleURL: g.cfg.Admin.URL,
		Internal: g.cfg.Internal, Signs: g.dkim.Covers, Zone: g.parsed.zone,
		Organization: g.cfg.Organization.Name, Settings: g.cfg.YAML(), Alarms: g.alarms, Log: g.log, Now: time.Now,
	})
	g.sweeper = &sweep.Sweeper{Store: g.db, Ring: g.ring, Unsettled: g.runner.Unsettled, Now: time.Now, Log: g.log}
	return nil
}

func (g *gateway) buildSMTP(context.Context) (err error) {
	if g.smtpCert, err = certificate(g.cfg.SMTP.TLS); err != nil {
		return setupError{fmt.Errorf("smtp.tls: %w", err)}
	}
	g.smtp, err = smtpd.New(smtpd.Config{
		Host: g.cfg.Hostname, Backend: g.intake, Trusted: g.parsed.trusted, Postmaster: g.parsed.postmaster, MaxSize: int64(g.cfg.SMTP.MaxMessageSize),
		Certificate: g.smtpCert, Room: g.room.check, Ready: g.db.Check,
		Resolve: clientName(smtpd.Resolver(net.DefaultResolver)),
		Metrics: g.smtpMetrics(), LogAddress: g.logAddress(), Log: g.log, Now: time.Now,
	})
	return err
}

// clientName asks nobody for the name of this machine's own addresses.
func clientName(resolve func(context.Context, netip.Addr) string) func(context.Context, netip.Addr) string {
	return func(ctx context.Context, addr netip.Addr) string {
		if addr.IsLoopback() {
			return "localhost"
		}
		return resolve(ctx, addr)
	}
}

func certificate(t config.TLS) (*smtpd.Certificate, error) {
	if !t.Set() {
		return nil, nil
	}
	return smtpd.LoadCertificate(t.CertFile, t.KeyFile)
}

func (g *gateway) buildSite(context.Context) (err error) {
	g.conns = web.NewConns(web.Bounds{Proxies: g.parsed.proxies})
	if g.siteCert, err = certificate(g.cfg.Pickup.TLS); err != nil {
		return setupError{fmt.Errorf("pickup.tls: %w", err)}
	}
	text, err := g.texts()
	if err != nil {
		return err
	}
	o := g.cfg.Organization
	g.site, err = pickup.New(pickup.Config{
		URL: g.parsed.siteURL, Aliases: g.cfg.Pickup.Aliases, TrustedProxies: g.parsed.proxies,
		Organization: pickup.Organization{
			Name: o.Name, Short: o.ShortName, Postal: o.PostalAddress, Sender: g.cfg.Notify.From,
			Support: web.Support(o.Support),
		},
		Zone: g.parsed.zone, ExpireAfter: g.cfg.Pickup.ExpireAfter, KeepLoggedIn: g.cfg.Pickup.KeepLoggedIn,
		FirstAccess: g.access(),
		Recovery:    account.Recovery(g.cfg.Pickup.Recovery),
		Limits:      pickup.Limits{Files: replyFiles, Bytes: replyLimit(int64(g.cfg.SMTP.MaxMessageSize)), Text: replyText},
		Takes:       g.repliesFit,
		Accounts:    g.accounts, Messages: g.messages, Internal: g.cfg.Internal, Catalogue: text,
		Console: g.consoleSession, Now: time.Now, Log: g.log,
	})
	return err
}

// addGauges exports what an alarm needs that no other part counts (MAIL 10.3).
func (g *gateway) addGauges(context.Context) error {
	var signing []string
	for _, k := range g.cfg.DKIMKeys() {
		signing = append(signing, k.Domain)
	}
	g.metrics.Expect(signing)
	ops.RegisterGauge(g.reg, "disk_spare_bytes", "Free disk above the reserve of store.min_free; below 0 no new mail is taken.", "", func() float64 {
		spare, err := g.room.spare()
		if err != nil {
			return math.NaN()
		}
		return float64(spare)
	})
	ops.RegisterGauge(g.reg, "site_connections", "Open connections of the site; at 1,000 the ones that rest are closed for new ones.", "", func() float64 {
		return float64(g.conns.Len())
	})
	for name, cert := range g.certificates() {
		if cert != nil {
			ops.RegisterGauge(g.reg, "certificate_expires_timestamp_seconds", "When the certificate in use lapses, in Unix time.", name, func() float64 {
				return float64(cert.NotAfter().Unix())
			})
		}
	}
	return nil
}

// Limits of a reply on the site.
const (
	replyFiles = 20
	replyText  = 256 << 10
)

// replyLimit is what a reply's files may weigh so that the letter, with its base64, stays under what mail servers take
// (MAIL 8.3).
func replyLimit(maxMessage int64) int64 { return maxMessage * 73 / 100 }

// repliesFit is replyLimit by what the organisation's mail server said last that it takes: the least of its domains. 0:
// it named no limit, or nothing went there since the start.
func (g *gateway) repliesFit() (least int64) {
	for _, domain := range g.cfg.Organization.Domains {
		if n := replyLimit(g.runner.SizeSeen(domain)); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}
