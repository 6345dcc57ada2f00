package smtpd

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"postern/smtpd/watch"
)

// Certificate is a server certificate in files, which may be renewed while the server runs.
type Certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]

	mu    sync.Mutex
	stamp watch.Stamp // of the files that current was read from
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
	stamp := watch.Look(c.certFile, c.keyFile) // before reading: a change meanwhile is seen next time
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("load certificate %s: %w", c.certFile, err)
	}
	c.current.Store(&cert)
	c.stamp = stamp
	return nil
}

// inUse is the stamp of the files that are in use.
func (c *Certificate) inUse() watch.Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stamp
}

// Watch reloads the certificate when its files change, until ctx ends.
func (c *Certificate) Watch(ctx context.Context, log *slog.Logger) {
	watch.Reload(ctx, c.inUse, c.Reload, func(err error) {
		if err != nil {
			log.Error("certificate", "cause", err.Error())
			return
		}
		log.Info("certificate", "not_after", c.NotAfter())
	})
}
