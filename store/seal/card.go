package seal

import (
	"bytes"

	"postern/store"
)

// cardStep is what the length of a card in clear is a multiple of, so that its size tells little.
const cardStep = 512

// SealCard seals the card of message id, a JSON text, padded with blanks.
func (k FileKey) SealCard(id store.MessageID, card []byte) []byte {
	steps := max((len(card)+cardStep-1)/cardStep, 1)
	padded := append(make([]byte, 0, steps*cardStep), card...)
	padded = append(padded, bytes.Repeat([]byte{' '}, steps*cardStep-len(card))...)
	return sealBound(nil, k[:], encode(ctxCard, id.String()), padded)
}

// OpenCard opens the card of message id and takes the padding off; ErrSealed.
func (k FileKey) OpenCard(id store.MessageID, sealed []byte) ([]byte, error) {
	card, err := openBound(k[:], encode(ctxCard, id.String()), sealed)
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(card, " "), nil
}
