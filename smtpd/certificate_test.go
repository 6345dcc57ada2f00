package smtpd

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"postern/smtpd/watch"
)

func serial(c *Certificate) int64 { return c.current.Load().Leaf.SerialNumber.Int64() }

// age sets the modification times of the files, so that a change shows whatever the file system's clock.
func age(t *testing.T, when time.Time, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := os.Chtimes(n, when, when); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificateIsReloadedWhenItsFilesChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cert, key := writeCertificate(t, dir, 1)
		age(t, time.Unix(1000, 0), cert, key)
		c, err := LoadCertificate(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); c.Watch(t.Context(), discard()) }()
		step := func(want int64) {
			t.Helper()
			time.Sleep(watch.Every)
			synctest.Wait()
			if got := serial(c); got != want {
				t.Fatalf("serial %d, want %d", got, want)
			}
		}
		step(1)
		writeFile(t, cert, []byte("half a renewal"))
		step(1)
		writeCertificate(t, dir, 2)
		step(2)
		writeCertificate(t, dir, 3)
		age(t, time.Unix(2000, 0), cert, key) // older than before is a change too
		step(3)
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		step(3)
		if want := time.Now().Add(3 * 24 * time.Hour); c.NotAfter().Sub(want).Abs() > time.Hour {
			t.Fatalf("lapses %v", c.NotAfter())
		}
	})
}

func TestReloadOfTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, 4)
	c, err := LoadCertificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, func(cfg *Config) { cfg.Certificate = c })
	shown := func() int64 {
		p := f.implicit()
		return p.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := shown(); n != 4 {
		t.Fatalf("serial %d", n)
	}
	writeCertificate(t, dir, 5)
	if err := f.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	if n := shown(); n != 5 {
		t.Fatalf("serial %d", n)
	}
	writeFile(t, key, []byte("no key"))
	if err := f.srv.Reload(); err == nil {
		t.Fatal("no error")
	}
	if n := shown(); n != 5 {
		t.Fatalf("serial %d", n)
	}
}

func TestCertificateThatDoesNotLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, 1)
	for _, files := range [][2]string{{filepath.Join(dir, "none"), key}, {cert, filepath.Join(dir, "none")}, {key, cert}} {
		if _, err := LoadCertificate(files[0], files[1]); err == nil {
			t.Errorf("%v: no error", files)
		}
	}
}
