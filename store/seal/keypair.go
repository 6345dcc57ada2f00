package seal

import (
	"crypto/hpke"
	"fmt"

	"postern/store"
)

// publicLen is the length of a public key: ML-KEM-768 and X25519.
const publicLen = 1216

const publicIDBytes = 10

// Public is the public key of the pair, 1,216 octets.
func (s Seed) Public() []byte { return s.private().PublicKey().Bytes() }

func (s Seed) private() hpke.PrivateKey {
	k, err := hpke.MLKEM768X25519().NewPrivateKey(s[:])
	if err != nil {
		panic("seal: private key: " + err.Error()) // every 32 octets are a seed
	}
	return k
}

// PublicKeyID names a public key: 16 characters (KEYS K1). What cannot be a public key has no name.
func PublicKeyID(pub []byte) store.KeyID {
	if len(pub) != publicLen {
		return ""
	}
	h := sum(ctxKeyID, string(pub))
	return store.KeyID(store.EncodeB32(h[:publicIDBytes]))
}

// sealTo is Pub of KEYS K1.
func sealTo(pub, ctx, x []byte) ([]byte, error) {
	pk, err := hpke.MLKEM768X25519().NewPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("public key of %d octets: %w", len(pub), err)
	}
	out, err := hpke.Seal(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), ctx, x)
	if err != nil {
		return nil, fmt.Errorf("seal to public key: %w", err)
	}
	return out, nil
}

// open undoes sealTo; ErrSealed.
func (s Seed) open(ctx, sealed []byte) ([]byte, error) {
	x, err := hpke.Open(s.private(), hpke.HKDFSHA256(), hpke.AES256GCM(), ctx, sealed)
	if err != nil {
		return nil, ErrSealed
	}
	return x, nil
}
