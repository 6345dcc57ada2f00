package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
)

// tokens implements store.Tokens.
type tokens struct{ t *tx }

// Put adds a token. What it finds of the owner's tokens that ended unused it takes off the owner's list, which
// therefore stays short; their rows stay until they are swept.
func (k tokens) Put(tok store.Token, keep store.Keep) error {
	if tok.ID.IsZero() {
		return errors.New("put token: it has no id")
	}
	if k.t.has(tokensB, tok.ID[:]) {
		return fmt.Errorf("put token: %w", store.ErrExists)
	}
	cut(&tok.Created, &tok.Ends, &tok.Used)
	tok.Key = cutKey(tok.Key)
	if err := errors.Join(checkText("purpose", tok.Purpose), checkText("owner", tok.Owner)); err != nil {
		return fmt.Errorf("put token: %w", err)
	}
	value, err := encode("token", tok)
	if err != nil {
		return err
	}
	if err := k.makeRoom(tok, keep); err != nil {
		return err
	}
	if err := k.t.move(nil, tokenEntries(tok)); err != nil {
		return err
	}
	return k.t.put(tokensB, tok.ID[:], value)
}

// makeRoom holds the owner's live tokens within Keep.
func (k tokens) makeRoom(tok store.Token, keep store.Keep) error {
	live, ended := k.of(tok.Purpose, tok.Owner, tok.Created)
	over := len(live) + 1 - keep.Max
	if keep.Max > 0 && over > 0 {
		if !keep.Drop {
			return fmt.Errorf("put token: %w", store.ErrLimit)
		}
		for _, old := range live[:min(over, len(live))] {
			if err := k.Delete(old.ID); err != nil {
				return err
			}
		}
	}
	for _, key := range ended {
		if err := k.t.del(tokenOfB, key); err != nil {
			return err
		}
	}
	return nil
}

// of answers the live tokens of an owner, oldest first, and the keys of list entries that lead to no live one.
func (k tokens) of(p store.Purpose, owner string, at time.Time) (live []store.Token, ended [][]byte) {
	for key := range k.t.up(tokenOfB, join(text(p), text(owner)), nil) {
		tok, err := k.get(toID[store.TokenID](tail(key, idLen)))
		if err != nil {
			k.t.report(err)
		}
		if err == nil && at.Before(tok.Ends) {
			live = append(live, tok)
		} else {
			ended = append(ended, bytes.Clone(key))
		}
	}
	return live, ended
}

// tokenEntries are the index entries of a token: the owner's list as long as it is unspent, when it ended, and when what
// it holds ends.
func tokenEntries(t store.Token) []entry {
	if !t.Used.IsZero() {
		return []entry{{in: tokenEndB, key: join(msKey(t.Used), t.ID[:])}}
	}
	ends := join(msKey(t.Ends), t.ID[:])
	out := []entry{
		{in: tokenEndB, key: ends},
		{in: tokenOfB, key: join(text(t.Purpose), text(t.Owner), msKey(t.Created), t.ID[:])},
	}
	if len(t.Sealed) > 0 || t.Key != nil {
		out = append(out, entry{in: tokenHoldB, key: ends})
	}
	return out
}

// tokenHolding picks the entry of a token that holds something. The others may have left their lists by now.
func tokenHolding(all []entry) []entry {
	return slices.DeleteFunc(all, func(e entry) bool { return e.in != tokenHoldB })
}

func (k tokens) get(id store.TokenID) (tok store.Token, err error) {
	value := k.t.get(tokensB, id[:])
	if value == nil {
		return tok, fmt.Errorf("token: %w", store.ErrNotFound)
	}
	if !decode(value, &tok) {
		return store.Token{}, corrupt("token", id)
	}
	tok.ID = id
	return tok, nil
}

func (k tokens) Peek(id store.TokenID, p store.Purpose, at time.Time) (store.Token, error) {
	tok, err := k.get(id)
	switch {
	case err != nil:
		return store.Token{}, err
	case tok.Purpose != p:
		return store.Token{}, fmt.Errorf("token: %w", store.ErrNotFound)
	case !tok.Used.IsZero():
		return tok, fmt.Errorf("token: %w", store.ErrUsed)
	case !at.Before(tok.Ends):
		return tok, fmt.Errorf("token: %w", store.ErrExpired)
	}
	return tok, nil
}

func (k tokens) Use(id store.TokenID, p store.Purpose, at time.Time) (store.Token, error) {
	tok, err := k.Peek(id, p, at)
	if err != nil {
		return tok, err
	}
	was := tokenEntries(tok)
	tok.Used = at
	cut(&tok.Used)
	spent := tok
	spent.Sealed, spent.Key = nil, nil
	value, err := encode("token", spent)
	if err != nil {
		return tok, err
	}
	if err := k.t.move(was, tokenEntries(tok)); err != nil {
		return tok, err
	}
	return tok, k.t.put(tokensB, id[:], value)
}

func (k tokens) Set(tok store.Token) error {
	now, err := k.get(tok.ID)
	if err != nil {
		return err
	}
	was := tokenEntries(now)
	now.Sealed, now.Key, now.Misses = tok.Sealed, cutKey(tok.Key), tok.Misses
	value, err := encode("token", now)
	if err != nil {
		return err
	}
	if err := k.t.move(tokenHolding(was), tokenHolding(tokenEntries(now))); err != nil {
		return err
	}
	return k.t.put(tokensB, tok.ID[:], value)
}

// cutKey is a key version with its time as records keep it.
func cutKey(v *store.KeyVersion) *store.KeyVersion {
	if v == nil {
		return nil
	}
	short := *v
	cut(&short.Made)
	return &short
}

func (k tokens) List(c store.Cursor, n int) ([]store.Token, store.Cursor, error) {
	l, err := k.t.from(tokensB, nil, c)
	if err != nil {
		return nil, "", err
	}
	return page(k.t, l, n, func(key, _ []byte) (store.Token, error) { return k.get(toID[store.TokenID](key)) })
}

func (k tokens) Of(p store.Purpose, owner string, at time.Time) ([]store.Token, error) {
	live, _ := k.of(p, owner, at)
	return live, nil
}

// Delete drops a token. One that is not there is no error.
func (k tokens) Delete(id store.TokenID) error {
	tok, err := k.get(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case errors.Is(err, store.ErrCorrupt):
		err = k.t.purge(id[:], tokenEndB, tokenHoldB, tokenOfB)
	default:
		err = k.t.move(tokenEntries(tok), nil)
	}
	if err != nil {
		return err
	}
	return k.t.del(tokensB, id[:])
}

func (k tokens) DeleteAll(p store.Purpose, owner string) error {
	purposes := []store.Purpose{p}
	if p == "" {
		purposes = k.purposes()
	}
	for _, p := range purposes {
		var ids []store.TokenID
		for key := range k.t.up(tokenOfB, join(text(p), text(owner)), nil) {
			ids = append(ids, toID[store.TokenID](tail(key, idLen)))
		}
		for _, id := range ids {
			if err := k.Delete(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// purposes are those of unspent tokens, found by seeking behind each.
func (k tokens) purposes() (all []store.Purpose) {
	c := k.t.bucket(tokenOfB).Cursor()
	for key, _ := c.First(); key != nil; {
		p, _, _ := bytes.Cut(key, []byte{0})
		all = append(all, store.Purpose(p))
		key, _ = c.Seek(append(bytes.Clone(p), 1))
	}
	return all
}

func (k tokens) Expired(t time.Time, n int) ([]store.TokenID, error) {
	return upTo[store.TokenID](k.t, tokenEndB, afterMs(t), n), nil
}

// Empty takes what is sealed out of tokens that ended unspent. A damaged row keeps what it has until it is swept.
func (k tokens) Empty(t time.Time, n int) (int, error) {
	ids := upTo[store.TokenID](k.t, tokenHoldB, afterMs(t), n)
	for _, id := range ids {
		tok, err := k.get(id)
		if errors.Is(err, store.ErrCorrupt) {
			err = k.t.purge(id[:], tokenHoldB)
		} else if err == nil {
			tok.Sealed, tok.Key = nil, nil
			err = k.Set(tok)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
