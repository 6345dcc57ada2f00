package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"postern/cmd/internal/config"
	"postern/cmd/internal/demo"
	"postern/pickup/admin"
)

// demoMails is how many mails the demo keeps in memory.
const demoMails = 200

// demoPorts are where the demo listens.
type demoPorts struct{ smtp, site, console, outbox string }

func demoCommand(c console) *cobra.Command {
	var p demoPorts
	cmd := &cobra.Command{
		Use: "demo", Short: "Try Postern on this machine: nothing to set up, nothing leaves it, nothing stays", Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&p.smtp, "smtp", "127.0.0.1:2525", "where mail is taken")
	cmd.Flags().StringVar(&p.site, "http", "127.0.0.1:8080", "the recipients' site")
	cmd.Flags().StringVar(&p.console, "console", "127.0.0.1:8081", "the administrators' console")
	cmd.Flags().StringVar(&p.outbox, "outbox", "127.0.0.1:8025", "where captured mail is shown")
	verbose := cmd.Flags().BoolP("verbose", "v", false, "show the log")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log := slog.New(slog.DiscardHandler)
		if *verbose {
			log = newLog(config.Log{Level: "info"}, c.err)
		}
		return runDemo(cmd.Context(), p, log, cmd.OutOrStdout())
	}
	return cmd
}

// runDemo runs a gateway on a temporary folder, with a mail server behind it that keeps everything in memory.
func runDemo(ctx context.Context, p demoPorts, log *slog.Logger, out io.Writer) error {
	viewer, err := p.take()
	if err != nil {
		return err
	}
	defer viewer.Close()
	next, err := listen("demo", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer next.Close()
	dir, err := os.MkdirTemp("", "postern-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	capture := demo.NewCapture(demoMails)
	cfg := demoConfig(p, dir, next.Addr().String())
	outbox, err := demo.NewOutbox(capture, cfg.Pickup.URL, demoLine(p.smtp))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	side := newGroup(ctx)
	side.start("capture", func(ctx context.Context) error { return capture.Serve(ctx, next) })
	serveHTTP(side, "outbox", &http.Server{Handler: outbox.Handler(), ReadHeaderTimeout: 5 * time.Second}, viewer)
	err = serve(ctx, cfg, log, func(g *gateway) {
		side.start("sample", func(ctx context.Context) error { return greet(ctx, p, g, capture, out) })
		go func() {
			select {
			case <-side.failed:
				stop()
			case <-ctx.Done():
			}
		}()
	})
	stop()
	return errors.Join(err, side.wait())
}

// take checks the addresses, so that what is wrong is said in the words of the flags, and opens the one of the outbox.
func (p demoPorts) take() (viewer net.Listener, err error) {
	for _, x := range [][2]string{{"--smtp", p.smtp}, {"--http", p.site}, {"--console", p.console}, {"--outbox", p.outbox}} {
		host, port, err := net.SplitHostPort(x[1])
		if err != nil || host == "" || port == "0" {
			return nil, setupError{fmt.Errorf("%s: %q is not address:port such as 127.0.0.1:8080", x[0], x[1])}
		}
		if viewer != nil {
			viewer.Close() // the gateway opens it again
		}
		if viewer, err = listen(x[0], x[1]); err != nil {
			return nil, err
		}
	}
	return viewer, nil
}

func demoConfig(p demoPorts, dir, next string) config.Config {
	cfg := config.Defaults()
	cfg.Hostname = "gateway.example.org"
	cfg.DataDir = dir
	cfg.ServerKey = dir + "/keys/server.key"
	cfg.Organization = config.Organization{
		Name: "Example County Council", ShortName: "the council", Domains: []string{"example.org"}, Timezone: "UTC",
		Support:       config.Support{Desk: "ICT Customer Services Desk", Phone: "01632 960 626", Hours: "Monday to Friday, 8:30 to 17:00"},
		PostalAddress: "County Hall, 1 Market Place, Exampleton ZZ99 1AA", Postmaster: "postmaster@example.org",
	}
	cfg.SMTP.Listen = []string{p.smtp}
	cfg.Relay.Routes = []config.Route{{Domains: []string{"*"}, Host: next, TLS: "none", EightBit: "bounce"}}
	cfg.Relay.Ehlo = cfg.Hostname
	cfg.Notify.From = "securemail@example.org"
	cfg.Pickup.Listen, cfg.Pickup.URL = p.site, "http://"+p.site
	cfg.Admin.Listen, cfg.Admin.URL = p.console, "http://"+p.console
	cfg.Ops.Listen = ""
	cfg.Store.MinFree = 1
	return cfg
}

// demoLine is a command that sends another mail.
func demoLine(smtp string) string {
	return fmt.Sprintf(`swaks --server %s --from you@example.org --to friend@mail.example --header "Subject: [secure] Hello" --body "Only for you"`, smtp)
}

// greet sends the sample mail and prints what to do next.
func greet(ctx context.Context, p demoPorts, g *gateway, capture *demo.Capture, out io.Writer) error {
	if err := demo.SendSample(ctx, p.smtp); err != nil {
		return fmt.Errorf("send the sample mail: %w", err)
	}
	const patience = 20 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	prefix := g.cfg.Pickup.URL + "/p/"
	note, err := capture.Await(ctx, func(m demo.Mail) bool { return strings.Contains(string(m.Raw), prefix) })
	if err != nil {
		return fmt.Errorf("the sample's notification did not arrive: %w", err)
	}
	setUp, err := g.admin.AdminCreate(ctx, admin.Socket(), admin.Proof{}, "you@example.org", admin.RoleAdmin)
	if err != nil {
		return fmt.Errorf("make an administrator: %w", err)
	}
	_, err = fmt.Fprintf(out, `Postern is running on this machine only; nothing is kept when it stops.

A flagged sample mail was sealed, and its recipient was notified. Read it as the recipient would:
  %s

Every mail that the gateway sent:    http://%s
The recipients' site:                %s
The administrators' console:         %s
  the link that sets you up there, with any authenticator app; it works once:
  %s

Send another; without [secure] it passes through untouched:
  %s

Ctrl-C stops the demo.
`, linkIn(note.View().Text, prefix), p.outbox, g.cfg.Pickup.URL, g.cfg.Admin.URL, setUp.Link, demoLine(p.smtp))
	return err
}

func linkIn(text, prefix string) string {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}
