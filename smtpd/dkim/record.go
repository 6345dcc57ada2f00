package dkim

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
)

// Record is a TXT record that verifiers look for.
type Record struct {
	Name  string // without a dot at its end
	Value string
}

func (key loaded) recordName() string { return key.Selector + "._domainkey." + key.Domain }

// Records are the public halves of all keys, in the order of the configuration (RFC 6376 §3.6.1, RFC 8463 §4).
func (k *Keys) Records() (all []Record) {
	for _, key := range k.keys() {
		all = append(all, Record{Name: key.recordName(), Value: "v=DKIM1; " + publicKey(key.signer.Public())})
	}
	return all
}

func publicKey(public any) string {
	switch public := public.(type) {
	case ed25519.PublicKey:
		return "k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	case *rsa.PublicKey:
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			panic("dkim: a key that was read does not marshal: " + err.Error())
		}
		return "k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
	}
	panic("dkim: impossible kind of key")
}

// String is the record as a zone file has it: in strings of at most 255 octets, which resolvers join (RFC 7208 §3.3).
func (r Record) String() string {
	const most = 255
	var parts []string
	for rest := r.Value; rest != ""; {
		n := min(most, len(rest))
		parts = append(parts, `"`+rest[:n]+`"`)
		rest = rest[n:]
	}
	return r.Name + ". IN TXT " + strings.Join(parts, " ")
}
