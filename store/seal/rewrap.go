package seal

import (
	"errors"
	"fmt"

	"postern/store"
)

// The Rewrap methods below change the server layer of every sealed value that a record holds to the current key, in
// place, and report whether any changed (KEYS K3, "key rotate"). On an error the record is as it was and names the
// value at fault; it must not be written then.

// RewrapMessage does so for a message's grants and its Message-ID.
func (s *ServerKeys) RewrapMessage(m *store.Message) (bool, error) {
	grants, changed, err := s.rewrapGrants(store.RcptKey{Message: m.ID}, m.Grants)
	w := rewrapper{keys: s, changed: changed, err: err}
	id := w.value(messageIDContext(m.ID), m.MsgID)
	if w.err != nil {
		return false, fmt.Errorf("re-wrap message %s: %w", m.ID, w.err)
	}
	m.Grants, m.MsgID = grants, id
	return w.changed, nil
}

// RewrapRecipient does so for a recipient's grants.
func (s *ServerKeys) RewrapRecipient(r *store.Recipient) (bool, error) {
	grants, changed, err := s.rewrapGrants(r.Key, r.Grants)
	if err != nil {
		return false, fmt.Errorf("re-wrap recipient %s: %w", r.Key, err)
	}
	r.Grants = grants
	return changed, nil
}

// RewrapAccount does so for an account's boxes, chains and reminder phrase.
func (s *ServerKeys) RewrapAccount(a *store.Account) (bool, error) {
	w := rewrapper{keys: s}
	reminder := w.value(reminderContext(a.ID), a.Reminder)
	versions := make([]store.KeyVersion, 0, len(a.Keys))
	for _, v := range a.Keys {
		v.Box = w.value(boxLayer(v.Owner(a.ID), v.ID), v.Box)
		v.Chain = w.value(chainContext(v.Owner(a.ID), v.To, v.ID), v.Chain)
		versions = append(versions, v)
	}
	if w.err != nil {
		return false, fmt.Errorf("re-wrap account %s: %w", a.ID, w.err)
	}
	a.Reminder, a.Keys = reminder, versions
	return w.changed, nil
}

// RewrapAdministrator does so for an administrator's box and second factor.
func (s *ServerKeys) RewrapAdministrator(a *store.Administrator) (bool, error) {
	w := rewrapper{keys: s}
	box := w.value(boxLayer(a.ID, a.Key.ID), a.Key.Box)
	totp := w.value(totpContext(a.ID), a.TOTP)
	if w.err != nil {
		return false, fmt.Errorf("re-wrap administrator %s: %w", a.ID, w.err)
	}
	a.Key.Box, a.TOTP = box, totp
	return w.changed, nil
}

// RewrapSession does so for a session.
func (s *ServerKeys) RewrapSession(x *store.Session) (bool, error) {
	w := rewrapper{keys: s}
	sealed := w.value(sessionLayer(x.ID), x.Sealed)
	if w.err != nil {
		return false, fmt.Errorf("re-wrap session %s: %w", x.ID, w.err)
	}
	x.Sealed = sealed
	return w.changed, nil
}

// RewrapToken does so for what a token holds: a mailed code, or the key version and the reminder phrase of a change that
// waits to be activated.
func (s *ServerKeys) RewrapToken(t *store.Token) (bool, error) {
	w := rewrapper{keys: s}
	sealed := w.value(tokenLayer(*t), t.Sealed)
	var box []byte
	if t.Key != nil {
		box = w.value(boxLayer(t.Account, t.Key.ID), t.Key.Box)
	}
	if w.err != nil {
		return false, fmt.Errorf("re-wrap token %s: %w", t.ID, w.err)
	}
	t.Sealed = sealed
	if t.Key != nil {
		v := *t.Key
		v.Box = box
		t.Key = &v
	}
	return w.changed, nil
}

// tokenLayer is the context of what a token seals.
func tokenLayer(t store.Token) []string {
	switch t.Purpose {
	case store.PurposeVerify:
		return reminderContext(t.Account)
	case store.PurposeCode:
		return codeContext(t.ID.String())
	}
	return nil // nothing of another purpose is sealed; what is nevertheless does not open, which is reported
}

// RewrapMACKey does so for the value of the setting MACKeyPrefix+name.
func (s *ServerKeys) RewrapMACKey(name string, sealed []byte) ([]byte, bool, error) {
	out, changed, err := s.Rewrap(macKeyContext(name), sealed)
	if err != nil {
		return nil, false, fmt.Errorf("re-wrap MAC key %s: %w", name, err)
	}
	return out, changed, nil
}

func (s *ServerKeys) rewrapGrants(k store.RcptKey, grants []store.Grant) ([]store.Grant, bool, error) {
	w := rewrapper{keys: s}
	var out []store.Grant
	for _, g := range grants {
		if g.Kind != store.GrantRecovery {
			g.Data = w.value(grantLayer(k, g), g.Data)
		}
		out = append(out, g)
	}
	return out, w.changed, w.err
}

// grantLayer is the context of a grant's server layer.
func grantLayer(k store.RcptKey, g store.Grant) []string {
	switch g.Kind {
	case store.GrantLink:
		return linkContext(k)
	case store.GrantAccount:
		return accountLayer(k.Message, g.Key)
	case store.GrantParent:
		return parentLayer(k.Message)
	case store.GrantSender:
		return senderContext(k.Message)
	}
	return nil // an unknown kind does not open, which is reported
}

// rewrapper gathers the outcome of several values.
type rewrapper struct {
	keys    *ServerKeys
	changed bool
	err     error
}

func (w *rewrapper) value(ctx []string, sealed []byte) []byte {
	if len(sealed) == 0 {
		return sealed
	}
	out, changed, err := w.keys.Rewrap(ctx, sealed)
	if err != nil {
		w.err = errors.Join(w.err, err)
		return sealed
	}
	w.changed = w.changed || changed
	return out
}
