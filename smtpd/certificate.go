package smtpd

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// watchEvery is how often the certificate's files are looked at.
const watchEvery = time.Minute

// Certificate is a server certificate in files, which may be renewed while the server runs.
type Certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]

	mu    sync.Mutex
	stamp [2]time.Time // of the files that current was read from
}

// LoadCertificate reads a PEM chain and its key.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	return c, c.Reload()
}

// Get is for tls.Config.GetCertificate.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// NotAfter is when the certificate in use lapses.
func (c *Certificate) NotAfter() time.Time { return c.current.Load().Leaf.NotAfter }

// Reload reads the files anew. If they do not make a certificate with its key, the one in use stays.
func (c *Certificate) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamp, err := c.times() // before reading: a change meanwhile is seen next time
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("load certificate %s: %w", c.certFile, err)
	}
	c.current.Store(&cert)
	c.stamp = stamp
	return nil
}

// times are the modification times of both files.
func (c *Certificate) times() (stamp [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, fmt.Errorf("look at certificate: %w", err)
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

// changed reports whether the files are not those in use.
func (c *Certificate) changed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamp, err := c.times()
	return err != nil || stamp != c.stamp
}

// Watch reloads the certificate when its files change, until ctx ends. Files that do not fit together, as between the
// two writes of a renewal, are tried again each minute.
func (c *Certificate) Watch(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !c.changed() {
			continue
		}
		if err := c.Reload(); err != nil {
			log.Error("certificate", "cause", err.Error())
			continue
		}
		log.Info("certificate", "not_after", c.NotAfter())
	}
}
