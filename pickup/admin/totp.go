package admin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The parameters of the second factor: what every authenticator app takes without being told (RFC 6238 §4, 5.2).
const (
	totpStep   = 30 // seconds
	totpDigits = 6
	totpSkew   = 1 // steps before and after that count as well, for clocks that are off
	totpSecret = 20
)

func newTOTP() []byte {
	secret := make([]byte, totpSecret)
	rand.Read(secret)
	return secret
}

// totpAt is the code of a time step (RFC 4226 §5.3) with so many digits.
func totpAt(secret []byte, step int64, digits int) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:at+4]) & 0x7fffffff
	mod := uint32(1)
	for range digits {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", digits, n%mod)
}

// checkTOTP finds the step whose code was typed, of those around now that are later than the last one taken: a code
// counts once (RFC 6238 §5.2). Blanks are passed over, as apps show the code in two groups.
func checkTOTP(secret []byte, typed string, now time.Time, last int64) (step int64, ok bool) {
	code := strings.Join(strings.Fields(typed), "")
	at := now.Unix() / totpStep
	for s := at - totpSkew; s <= at+totpSkew; s++ {
		same := subtle.ConstantTimeCompare([]byte(totpAt(secret, s, totpDigits)), []byte(code)) == 1
		if same && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// totpKey is a secret as people type it, in groups of four.
func totpKey(secret []byte) string {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	var groups []string
	for len(text) > 4 {
		groups, text = append(groups, text[:4]), text[4:]
	}
	return strings.Join(append(groups, text), " ")
}

// totpURI is a secret as an authenticator app takes it from a link or a picture.
func totpURI(secret []byte, issuer, name string) string {
	q := url.Values{"secret": {strings.ReplaceAll(totpKey(secret), " ", "")}, "issuer": {issuer}}
	label := url.PathEscape(issuer + ":" + name)
	return "otpauth://totp/" + label + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}
