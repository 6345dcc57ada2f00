package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"postern/cmd/internal/config"
	"postern/cmd/internal/control"
	"postern/cmd/internal/ops"
	"postern/pickup/web"
	"postern/smtpd"
)

func serveCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "serve", Short: "Run the gateway until SIGTERM; then drain and exit", Args: cobra.NoArgs}
	load := configFlag(cmd, c)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		log := newLog(cfg.Log, c.err)
		return serve(cmd.Context(), cfg, log, func(*gateway) {
			for _, note := range cfg.DKIMNotes() {
				log.Warn(note, "event", "dkim")
			}
		})
	}
	return cmd
}

// serve runs a gateway until ctx ends. started, which may be nil, is called when every listener answers.
func serve(ctx context.Context, cfg config.Config, log *slog.Logger, started func(*gateway)) error {
	db, err := openStore(cfg, log)
	if err != nil {
		return err
	}
	g, err := newGateway(ctx, cfg, db, log)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	doors, err := g.open()
	if err != nil {
		return errors.Join(err, g.ring.Close(), db.Close())
	}
	err = g.run(ctx, doors, started)
	return errors.Join(err, g.ring.Close(), db.Close())
}

// doors are the open listeners.
type doors struct {
	smtp    []smtpd.Listener
	site    net.Listener
	desk    net.Listener // of the console; nil: off
	ops     net.Listener // nil: off
	control net.Listener
}

func (d doors) close() {
	for _, l := range d.smtp {
		l.Close()
	}
	for _, l := range []net.Listener{d.site, d.desk, d.ops, d.control} {
		if l != nil {
			l.Close()
		}
	}
}

// open takes every port before anything runs, so that one in use is one plain sentence and no half start.
func (g *gateway) open() (d doors, err error) {
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for _, addr := range g.cfg.SMTP.Listen {
		l, err := listen("smtp.listen", addr)
		if err != nil {
			return d, err
		}
		d.smtp = append(d.smtp, smtpd.Listener{Listener: l, Name: "smtp"})
	}
	if d.site, err = listen("pickup.listen", g.cfg.Pickup.Listen); err != nil {
		return d, err
	}
	if g.desk != nil {
		if d.desk, err = listen("admin.listen", g.cfg.Admin.Listen); err != nil {
			return d, err
		}
	}
	if g.cfg.Ops.Listen != "" {
		if d.ops, err = listen("ops.listen", g.cfg.Ops.Listen); err != nil {
			return d, err
		}
	}
	if d.control, err = control.Listen(g.cfg.DataDir); err != nil {
		return d, setupError{err}
	}
	return d, nil
}

func listen(key, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, setupError{fmt.Errorf("%s: %s is in use by another program", key, addr)}
	case errors.Is(err, os.ErrPermission):
		return nil, setupError{fmt.Errorf("%s: this user may not listen on %s (ports under 1024 need CAP_NET_BIND_SERVICE)", key, addr)}
	case err != nil:
		return nil, setupError{fmt.Errorf("%s: %w", key, err)}
	}
	return l, nil
}

// run starts everything in order (ARCHITECTURE 1.10), waits for ctx or a failure, and drains.
func (g *gateway) run(ctx context.Context, d doors, started func(*gateway)) error {
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	jobs := newGroup(work)
	jobs.start("sweep", g.sweeper.Run)
	jobs.start("relay", g.runner.Run)
	jobs.start("recorder", g.recorder.Run)
	jobs.start("expiry", g.messages.Run)
	jobs.start("account mails", g.later.Run)
	jobs.start("account keys", g.accounts.Run)
	jobs.start("invitations", g.admin.Run)
	jobs.start("smtp", func(ctx context.Context) error { return g.smtp.Run(ctx, d.smtp...) })
	sites := []*http.Server{g.conns.Guard(web.Server(g.site.Handler()))}
	g.serveSite(jobs, "site", sites[0], d.site)
	if d.desk != nil {
		sites = append(sites, g.deskConns.Guard(web.Server(g.desk.Handler())))
		g.serveSite(jobs, "console", sites[1], d.desk)
	}
	if d.ops != nil {
		serveHTTP(jobs, "ops", &http.Server{Handler: ops.Handler(g.reg, g.health), ReadHeaderTimeout: 5 * time.Second}, d.ops)
	}
	jobs.start("control", func(ctx context.Context) error { return control.Serve(ctx, d.control, methods(g.admin)) })
	jobs.start("reload", g.reloadOnHangup)
	jobs.start("dkim", func(ctx context.Context) error {
		g.dkim.Watch(ctx, g.log)
		return nil
	})
	g.health.SetReady(true)
	g.log.Info("ready", "event", "start", "smtp", g.cfg.SMTP.Listen, "site", g.cfg.Pickup.URL, "version", versionText())
	if started != nil {
		started(g)
	}
	select {
	case <-ctx.Done():
	case <-jobs.failed:
	}
	g.drain(context.WithoutCancel(ctx), sites)
	cut()
	return jobs.wait()
}

// drain lets what runs come to its end within the drain timeout: no new connections, clients are told to come back,
// deliveries end or give their items back.
func (g *gateway) drain(ctx context.Context, sites []*http.Server) {
	g.health.SetReady(false)
	g.log.Info("draining", "event", "drain", "timeout", g.cfg.DrainTimeout)
	ctx, cancel := context.WithTimeout(ctx, g.cfg.DrainTimeout)
	defer cancel()
	rest := newGroup(ctx)
	rest.start("smtp", g.smtp.Drain)
	for _, site := range sites {
		rest.start("site", site.Shutdown)
	}
	rest.start("relay", g.runner.Drain)
	if err := rest.wait(); err != nil {
		g.log.Warn("cut off what was still running", "event", "drain", "error", err)
	}
}

// serveSite serves one of the sites, with its certificate if it has one, which is watched.
func (g *gateway) serveSite(jobs *group, name string, srv *http.Server, l net.Listener) {
	if cert := g.certificates()[name]; cert != nil {
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.Get, NextProtos: []string{"http/1.1"}})
		jobs.start(name+" certificate", func(ctx context.Context) error {
			cert.Watch(ctx, g.log.With("listener", name))
			return nil
		})
	}
	serveHTTP(jobs, name, srv, l)
}

// serveHTTP runs a server until it is shut down, or cut with its group.
func serveHTTP(jobs *group, name string, srv *http.Server, l net.Listener) {
	jobs.start(name, func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { srv.Close() })
		defer stop()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// reloadOnHangup reads certificates and DKIM keys anew at SIGHUP; their files are watched besides.
func (g *gateway) reloadOnHangup(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			for name, cert := range g.certificates() {
				g.reload(name, cert)
			}
			if err := g.dkim.Reload(); err != nil {
				g.log.Error("DKIM keys not reloaded; the old ones stay", "event", "dkim", "error", err)
			}
		}
	}
}

func (g *gateway) reload(listener string, cert *smtpd.Certificate) {
	if cert == nil {
		return
	}
	if err := cert.Reload(); err != nil {
		g.log.Error("certificate not reloaded; the old one stays", "event", "certificate", "listener", listener, "error", err)
		return
	}
	g.log.Info("", "event", "certificate", "listener", listener, "not_after", cert.NotAfter())
}
