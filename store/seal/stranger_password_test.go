package seal_test

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/crypto/argon2"
)

// TestFormatOfPasswordsByAStranger goes from a password to the seed by FORMAT.md, section 6; it needs an Argon2id library besides.
func TestFormatOfPasswordsByAStranger(t *testing.T) {
	t.Parallel()
	s := strangersSamples(t)
	server := readKeys(t, s.ServerKeyFile, "postern-server-key-v1", "server-key-check")
	for name, a := range map[string]strangerAccount{"current": s.Account, "older": s.Older} {
		var passes, memory uint32
		var lanes uint8
		var salt string
		if _, err := fmt.Sscanf(a.Params, "argon2id,t=%d,m=%d,p=%d,salt=%s", &passes, &memory, &lanes, &salt); err != nil {
			t.Fatal(err)
		}
		saltOctets, err := b32.DecodeString(salt)
		if err != nil {
			t.Fatal(err)
		}
		box, err := layer(server, a.Box, "box", a.ID, a.KID)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		k := argon2.IDKey([]byte(a.Password), saltOctets, passes, memory, lanes, 32)
		seed, err := openAES(deriveKey(k, "password", a.ID, a.KID), contextC("password", a.ID, a.KID, a.Params), box)
		if err != nil || !bytes.Equal(seed, a.Seed) || publicID(seed) != a.KID {
			t.Errorf("%s: %v", name, err)
		}
	}
}
