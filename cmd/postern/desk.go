package main

import (
	"context"
	"fmt"
	"time"

	"postern/pickup/admin"
	adminsite "postern/pickup/admin/console"
	"postern/pickup/web"
	"postern/smtpd"
)

// buildConsole makes the administrators' site, and lets the recipients' site know its sessions (A7).
func (g *gateway) buildConsole(context.Context) (err error) {
	if g.cfg.Admin.Listen == "" {
		return nil
	}
	if g.deskCert, err = certificate(g.cfg.Admin.TLS); err != nil {
		return setupError{fmt.Errorf("admin.tls: %w", err)}
	}
	o := g.cfg.Organization
	g.deskConns = web.NewConns(web.Bounds{Proxies: g.parsed.proxies})
	g.desk, err = adminsite.New(adminsite.Config{
		URL: g.parsed.consoleURL, TrustedProxies: g.parsed.proxies, Zone: g.parsed.zone, Admin: g.admin, Now: time.Now, Log: g.log,
		Organization: adminsite.Organization{Name: o.Name, Short: o.ShortName, Support: web.Support(o.Support)},
	})
	return err
}

// consoleSession reports whether a cookie belongs to a live session of the console.
func (g *gateway) consoleSession(ctx context.Context, cookie string) bool {
	_, err := g.admin.Resume(ctx, cookie)
	return err == nil
}

// certificates are those in use, by listener; nil where there is none.
func (g *gateway) certificates() map[string]*smtpd.Certificate {
	return map[string]*smtpd.Certificate{"smtp": g.smtpCert, "site": g.siteCert, "console": g.deskCert}
}

const (
	certificateSoon = 14 * 24 * time.Hour
	diskSoon        = 1 << 30
)

// alarms are what the machine has to say to administrators.
func (g *gateway) alarms(ctx context.Context) (list []admin.Alert) {
	if g.db.Check(ctx) != nil {
		list = append(list, admin.Alert{Kind: admin.AlertStore, Urgent: true})
	}
	spare, err := g.room.spare()
	if err == nil && spare < diskSoon {
		list = append(list, admin.Alert{Kind: admin.AlertDisk, Urgent: spare < 0, N: max(spare, 0)})
	}
	now := time.Now()
	for _, name := range []string{"smtp", "site", "console"} {
		cert := g.certificates()[name]
		if cert != nil && cert.NotAfter().Sub(now) < certificateSoon {
			list = append(list, admin.Alert{Kind: admin.AlertCertificate, Urgent: cert.NotAfter().Before(now), Subject: name, At: cert.NotAfter()})
		}
	}
	return list
}
