package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	bits "encoding/binary"

	"postern/store"
	"postern/store/seal"
)

// The notation of store/seal/FORMAT.md, as a stranger would write it.

func formatC(parts ...string) []byte {
	var out []byte
	for _, p := range append([]string{"postern/v1"}, parts...) {
		out = append(bits.BigEndian.AppendUint16(out, uint16(len(p))), p...)
	}
	return out
}

func formatDerive(secret []byte, parts ...string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, string(formatC(parts...)), 32)
	if err != nil {
		panic(err)
	}
	return key
}

func formatBox(key, box []byte, ctx ...string) ([]byte, bool) {
	if len(box) < 28 {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	x, err := gcm.Open(nil, box[:12], box[12:], formatC(ctx...))
	return x, err == nil
}

// formatSeal is the other way round.
func formatSeal(key, x []byte, ctx ...string) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcm.Seal(nil, nil, x, formatC(ctx...))
}

func keyID(key []byte) string { return store.EncodeB32(formatDerive(key, "key-id")[:5]) }

func openHPKE(seed seal.Seed, sealed, info []byte) ([]byte, error) {
	key, err := hpke.MLKEM768X25519().NewPrivateKey(seed[:])
	if err != nil {
		return nil, err
	}
	return hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
}
