package seal

import (
	"fmt"
	"strconv"

	"postern/store"
)

// Grants wrap a file key for one reader (KEYS K6). All but recovery grants lie inside the server layer. Their Made is
// left zero: the caller knows the time.

// linkContext binds a link grant to a recipient; server layer and inner box use the same parts.
func linkContext(k store.RcptKey) []string {
	return []string{ctxLink, k.Message.String(), strconv.FormatUint(uint64(k.N), 10)}
}

// GrantLink wraps a file key for whoever has the link of recipient k.
func (s *ServerKeys) GrantLink(link LinkSecret, k store.RcptKey, fk FileKey) store.Grant {
	ctx := linkContext(k)
	box := sealBound(nil, link[:], encode(ctx...), fk[:])
	return store.Grant{Kind: store.GrantLink, Link: link.LinkID(), Data: s.Seal(ctx, box)}
}

// OpenLink undoes GrantLink: ErrServerLayer, ErrSealed.
func (s *ServerKeys) OpenLink(link LinkSecret, k store.RcptKey, g store.Grant) (FileKey, error) {
	ctx := linkContext(k)
	return s.openGrant(g, store.GrantLink, ctx, func(box []byte) ([]byte, error) {
		return openBound(link[:], encode(ctx...), box)
	})
}

func accountLayer(id store.MessageID, kid store.KeyID) []string {
	return []string{ctxAccount, id.String(), string(kid)}
}

func accountContext(id store.MessageID, kid store.KeyID) []byte {
	return encode(ctxAccount, string(kid), id.String())
}

// GrantAccount wraps a file key to an account's public key. The error is a public key that is none.
func (s *ServerKeys) GrantAccount(pub []byte, id store.MessageID, fk FileKey) (store.Grant, error) {
	kid := PublicKeyID(pub)
	sealed, err := sealTo(pub, accountContext(id, kid), fk[:])
	if err != nil {
		return store.Grant{}, fmt.Errorf("grant to account key %s: %w", kid, err)
	}
	return store.Grant{Kind: store.GrantAccount, Key: kid, Data: s.Seal(accountLayer(id, kid), sealed)}, nil
}

// OpenAccount undoes GrantAccount: ErrServerLayer, ErrSealed.
func (s *ServerKeys) OpenAccount(seed Seed, id store.MessageID, g store.Grant) (FileKey, error) {
	return s.openGrant(g, store.GrantAccount, accountLayer(id, g.Key), func(sealed []byte) ([]byte, error) {
		return seed.open(accountContext(id, g.Key), sealed)
	})
}

func parentLayer(id store.MessageID) []string { return []string{ctxParent, id.String()} }

func parentContext(parent, id store.MessageID) []byte {
	return encode(ctxParent, parent.String(), id.String())
}

// GrantParent wraps the file key of reply id under that of the message it answers.
func (s *ServerKeys) GrantParent(parent FileKey, parentID, id store.MessageID, fk FileKey) store.Grant {
	box := sealBound(nil, parent[:], parentContext(parentID, id), fk[:])
	return store.Grant{Kind: store.GrantParent, Parent: parentID, Data: s.Seal(parentLayer(id), box)}
}

// OpenParent undoes GrantParent: ErrServerLayer, ErrSealed.
func (s *ServerKeys) OpenParent(parent FileKey, parentID, id store.MessageID, g store.Grant) (FileKey, error) {
	return s.openGrant(g, store.GrantParent, parentLayer(id), func(box []byte) ([]byte, error) {
		return openBound(parent[:], parentContext(parentID, id), box)
	})
}

func senderContext(id store.MessageID) []string { return []string{ctxSender, id.String()} }

// GrantSender wraps a file key for whoever has the sender's status link of the message.
func (s *ServerKeys) GrantSender(link LinkSecret, id store.MessageID, fk FileKey) store.Grant {
	ctx := senderContext(id)
	box := sealBound(nil, link[:], encode(ctx...), fk[:])
	return store.Grant{Kind: store.GrantSender, Data: s.Seal(ctx, box)}
}

// OpenSender undoes GrantSender: ErrServerLayer, ErrSealed.
func (s *ServerKeys) OpenSender(link LinkSecret, id store.MessageID, g store.Grant) (FileKey, error) {
	ctx := senderContext(id)
	return s.openGrant(g, store.GrantSender, ctx, func(box []byte) ([]byte, error) {
		return openBound(link[:], encode(ctx...), box)
	})
}

func recoveryContext(id store.MessageID, kid store.KeyID) []byte {
	return encode(ctxRecovery, string(kid), id.String())
}

// GrantRecovery wraps a file key to the organisation's offline key. It has no server layer, so it survives the loss of
// the server key (KEYS K6, K14). The error is a public key that is none.
func GrantRecovery(pub []byte, id store.MessageID, fk FileKey) (store.Grant, error) {
	kid := PublicKeyID(pub)
	sealed, err := sealTo(pub, recoveryContext(id, kid), fk[:])
	if err != nil {
		return store.Grant{}, fmt.Errorf("grant to recovery key %s: %w", kid, err)
	}
	return store.Grant{Kind: store.GrantRecovery, Key: kid, Data: sealed}, nil
}

// OpenRecovery undoes GrantRecovery; ErrSealed.
func OpenRecovery(seed Seed, id store.MessageID, g store.Grant) (FileKey, error) {
	if g.Kind != store.GrantRecovery {
		return FileKey{}, ErrSealed
	}
	fk, err := seed.open(recoveryContext(id, g.Key), g.Data)
	if err != nil {
		return FileKey{}, err
	}
	return fileKey(fk)
}

// openGrant takes the server layer off a grant of the wanted kind and opens what is inside.
func (s *ServerKeys) openGrant(g store.Grant, want store.GrantKind, layer []string, open func([]byte) ([]byte, error)) (FileKey, error) {
	if g.Kind != want {
		return FileKey{}, ErrSealed
	}
	inner, err := s.Open(layer, g.Data)
	if err != nil {
		return FileKey{}, err
	}
	fk, err := open(inner)
	if err != nil {
		return FileKey{}, err
	}
	return fileKey(fk)
}

func fileKey(b []byte) (FileKey, error) {
	if len(b) != len(FileKey{}) {
		return FileKey{}, ErrSealed
	}
	return FileKey(b), nil
}
