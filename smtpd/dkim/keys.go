// Package dkim signs mail (RFC 6376, MAIL 6.9, 6.10).
//
// Flow: Load reads the configured keys and says everything that is wrong with them at once; Sign, which the relay calls
// for each attempt, makes the fields that go before a message: one for each key of its author's domain. Records are what
// is to be published in DNS. Keys that change on disk are read anew, as certificates are.
//
// Duty: a message is read and never changed. A key whose file others may read is refused, and no key is ever printed.
package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"sync/atomic"

	"postern/smtpd/watch"
	"postern/store"
)

// Sizes of RSA keys in bits: at least what RFC 8301 §3.2 recommends, at most what every verifier must take.
const (
	minBits = 2048
	maxBits = 4096
)

// Key names a private key and where its public half is published: SELECTOR._domainkey.DOMAIN.
type Key struct {
	Domain   string
	Selector string
	File     string // PEM: RSA of 2,048 bits or more, or Ed25519 (RFC 8463)
}

// loaded is a key in use.
type loaded struct {
	Key
	signer crypto.Signer
}

// Keys are the keys of a gateway. Its methods may be called from several goroutines. The nil Keys has none.
type Keys struct {
	configured []Key
	current    atomic.Pointer[[]loaded]

	mu    sync.Mutex
	stamp watch.Stamp // of the files that current was read from
}

// Load reads keys. The error joins all problems; each begins with "dkim[N]".
func Load(configured []Key) (*Keys, error) {
	k := &Keys{configured: configured}
	return k, k.Reload()
}

// Reload reads the files anew. If something is wrong with one, the keys in use stay.
func (k *Keys) Reload() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var keys []loaded
	var problems []error
	var files []string
	for _, c := range k.configured {
		files = append(files, c.File)
	}
	stamp := watch.Look(files...) // before reading: a change meanwhile is seen next time
	names := map[string]bool{}
	for i, c := range k.configured {
		key, err := load(c)
		if err == nil && names[key.recordName()] {
			err = fmt.Errorf("selector %q of %s stands there twice", key.Selector, key.Domain)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("dkim[%d]: %w", i, err))
			continue
		}
		names[key.recordName()] = true
		keys = append(keys, key)
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	k.current.Store(&keys)
	k.stamp = stamp
	return nil
}

// label is one part of a name in DNS, as a selector's are.
var label = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*$`)

func load(c Key) (loaded, error) {
	domain, err := store.ParseAddress("x@" + c.Domain)
	switch {
	case err != nil || domain.IsLiteral():
		return loaded{}, fmt.Errorf("domain: %q is not a domain", c.Domain)
	case !label.MatchString(c.Selector):
		return loaded{}, fmt.Errorf("selector: %q is not a selector such as s2026", c.Selector)
	}
	c.Domain = store.DomainKey(c.Domain)
	signer, err := readKey(c.File)
	if err != nil {
		return loaded{}, fmt.Errorf("key_file: %w", err)
	}
	return loaded{c, signer}, nil
}

// readKey reads a private key that only its owner can read.
func readKey(file string) (crypto.Signer, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: others may read it; set 0600", file, mode)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

func parseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(bytes.TrimSpace(text))
	if block == nil {
		return nil, errors.New("holds no PEM block")
	}
	defer clear(block.Bytes)
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("holds a %s, not an unencrypted PRIVATE KEY", block.Type)
	}
	if err != nil {
		return nil, errors.New("does not parse as a private key")
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if n := key.N.BitLen(); n < minBits || n > maxBits {
			return nil, fmt.Errorf("is an RSA key of %d bits, not of %d to %d", n, minBits, maxBits)
		}
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, errors.New("is neither an RSA nor an Ed25519 key")
}

// keys are those in use.
func (k *Keys) keys() []loaded {
	if k == nil {
		return nil
	}
	if p := k.current.Load(); p != nil {
		return *p
	}
	return nil
}

// of are the keys of a domain, given in any spelling.
func (k *Keys) of(domain string) (keys []loaded) {
	d := store.DomainKey(domain)
	for _, key := range k.keys() {
		if key.Domain == d {
			keys = append(keys, key)
		}
	}
	return keys
}

// Covers reports whether mail whose From is of a domain gets a signature of that very domain, so that it is aligned
// (RFC 9989).
func (k *Keys) Covers(domain string) bool { return len(k.of(domain)) > 0 }

// inUse is the stamp of the files that are in use.
func (k *Keys) inUse() watch.Stamp {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stamp
}

// Watch reloads keys when their files change, until ctx ends.
func (k *Keys) Watch(ctx context.Context, log *slog.Logger) {
	watch.Reload(ctx, k.inUse, k.Reload, func(err error) {
		if err != nil {
			log.Error("DKIM keys not reloaded; the old ones stay", "event", "dkim", "error", err)
			return
		}
		log.Info("DKIM keys reloaded", "event", "dkim", "keys", len(k.keys()))
	})
}
