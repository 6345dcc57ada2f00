package admin

import (
	"strings"
	"testing"
	"time"
)

// The vectors of RFC 6238 Appendix B for SHA-1, which have 8 digits.
func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := totpAt(secret, at/totpStep, 8); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

// A code counts one step early or late, once, and nothing older than the last one taken (RFC 6238 §5.2).
func TestTOTPWindowAndReplay(t *testing.T) {
	t.Parallel()
	secret, now := newTOTP(), time.Unix(1_800_000_015, 0)
	at := now.Unix() / totpStep
	for _, tt := range []struct {
		name  string
		typed string
		last  int64
		step  int64
		ok    bool
	}{
		{"now", totpAt(secret, at, 6), 0, at, true},
		{"in two groups", totpAt(secret, at, 6)[:3] + " " + totpAt(secret, at, 6)[3:], 0, at, true},
		{"a step ago", totpAt(secret, at-1, 6), 0, at - 1, true},
		{"a step ahead", totpAt(secret, at+1, 6), 0, at + 1, true},
		{"two steps ago", totpAt(secret, at-2, 6), 0, 0, false},
		{"two steps ahead", totpAt(secret, at+2, 6), 0, 0, false},
		{"taken before", totpAt(secret, at, 6), at, 0, false},
		{"older than one taken", totpAt(secret, at-1, 6), at, 0, false},
		{"next after one taken", totpAt(secret, at+1, 6), at, at + 1, true},
		{"nothing", "", 0, 0, false},
		{"too short", totpAt(secret, at, 6)[:5], 0, 0, false},
		{"too long", totpAt(secret, at, 8), 0, 0, false},
	} {
		step, ok := checkTOTP(secret, tt.typed, now, tt.last)
		if ok != tt.ok || step != tt.step {
			t.Errorf("%s: %d, %t", tt.name, step, ok)
		}
	}
}

func TestTOTPKeyAndURI(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	if got := totpKey(secret); got != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Errorf("key %q", got)
	}
	want := "otpauth://totp/Example%20Council:ann@example.org?issuer=Example%20Council&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	if got := totpURI(secret, "Example Council", "ann@example.org"); got != want && strings.ReplaceAll(got, "%3A", ":") != want {
		t.Errorf("URI %q", got)
	}
}
