// Package watch notices that files were changed: certificates and keys that are renewed while the gateway runs.
//
// Flow: who reads files keeps the Stamp of before reading; Reload compares it each minute and reads anew.
//
// Duty: a file that cannot be read is a change, so that it is told each minute until somebody mends it.
package watch

import (
	"context"
	"maps"
	"os"
	"time"
)

// Every is how often files are looked at.
const Every = time.Minute

// Stamp is when files were changed last, by name; the zero time for a file that cannot be looked at.
type Stamp map[string]time.Time

// Look takes the stamp of files.
func Look(files ...string) Stamp {
	s := Stamp{}
	for _, name := range files {
		s[name] = time.Time{}
		if info, err := os.Stat(name); err == nil {
			s[name] = info.ModTime()
		}
	}
	return s
}

// Changed reports whether a file was changed since, or cannot be looked at.
func (s Stamp) Changed() bool {
	names := make([]string, 0, len(s))
	for name, at := range s {
		if at.IsZero() {
			return true
		}
		names = append(names, name)
	}
	return !maps.EqualFunc(s, Look(names...), time.Time.Equal)
}

// Reload calls reload each time that the stamp has changed, until ctx ends, and tells what came of it. What failed is
// tried again each minute: the two files of a renewal are seldom written at once.
func Reload(ctx context.Context, stamp func() Stamp, reload func() error, tell func(error)) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if stamp().Changed() {
			tell(reload())
		}
	}
}
