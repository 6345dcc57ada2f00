package storetest

import (
	"time"

	"postern/store"
)

func tokenCases() []testCase {
	return []testCase{
		{"EveryFieldOfATokenSurvives", everyFieldOfToken},
		{"TokensAreUsedOnce", tokenOnce},
		{"SpentTokensHoldNothing", tokenSpent},
		{"TokensAreRewritten", tokenSet},
		{"TokensAreListed", tokenList},
		{"TokensEnd", tokenEnds},
		{"KeepLimitsLiveTokens", keepLimits},
		{"KeepDropsTheOldest", keepDrops},
		{"TokensOfAnOwnerGoTogether", tokensTogether},
		{"ExpiredTokensFollowUseAndEnd", tokensExpire},
		{"EndedTokensAreEmptied", tokensEmptied},
	}
}

const bob = "bob@example.net"

// token is one made n minutes after start that lives for an hour.
func token(n byte, p store.Purpose, owner string) store.Token {
	return store.Token{
		ID: id[store.TokenID](n), Purpose: p, Owner: owner, Created: at(int(n)), Ends: at(int(n) + 60), Browser: "browser",
	}
}

var unbounded = store.Keep{}

func put(keep store.Keep, all ...store.Token) func(tx store.Tx) error {
	return func(tx store.Tx) error {
		for _, t := range all {
			if err := tx.Tokens().Put(t, keep); err != nil {
				return err
			}
		}
		return nil
	}
}

func peek(n byte, p store.Purpose, t time.Time) func(tx store.Tx) (store.Token, error) {
	return func(tx store.Tx) (store.Token, error) { return tx.Tokens().Peek(id[store.TokenID](n), p, t) }
}

// live are the numbers of the live tokens of an owner.
func live(b *bench, p store.Purpose, owner string, t time.Time) (numbers []byte) {
	b.Helper()
	for _, tok := range read(b, func(tx store.Tx) ([]store.Token, error) { return tx.Tokens().Of(p, owner, t) }) {
		numbers = append(numbers, tok.ID[0])
	}
	return numbers
}

func everyFieldOfToken(b *bench) {
	tok := filled[store.Token]()
	b.update(put(unbounded, tok))
	var got store.Token
	_ = b.View(b.ctx(), func(tx store.Tx) (err error) {
		got, err = tx.Tokens().Peek(tok.ID, tok.Purpose, tok.Created)
		return err
	})
	same(b, "spent token", got, cutTimes(tok))
	b.fails(store.ErrExists, put(unbounded, tok))
}

func tokenOnce(b *bench) {
	b.update(put(unbounded, token(1, store.PurposeReset, bob)))
	use := func(tx store.Tx) error {
		tok, err := tx.Tokens().Use(id[store.TokenID](1), store.PurposeReset, at(5))
		if err == nil && !tok.Used.Equal(at(5)) {
			b.Errorf("used at %s, want %s", tok.Used, at(5))
		}
		return err
	}
	same(b, "before", read(b, peek(1, store.PurposeReset, at(5))).Used, time.Time{})
	missing(b, store.ErrNotFound, peek(1, store.PurposeAlias, at(5)))
	missing(b, store.ErrNotFound, peek(2, store.PurposeReset, at(5)))
	b.update(use)
	b.fails(store.ErrUsed, use)
	_ = b.View(b.ctx(), func(tx store.Tx) error {
		tok, err := tx.Tokens().Peek(id[store.TokenID](1), store.PurposeReset, at(500))
		same(b, "row of a used token", tok.Used, at(5))
		return err
	})
	missing(b, store.ErrUsed, peek(1, store.PurposeReset, at(500)))
}

// pending is a token that holds what Use hands out.
func pending(n byte) store.Token {
	tok := token(n, store.PurposeVerify, bob)
	tok.Sealed, tok.Key = []byte("phrase"), &store.KeyVersion{ID: "key", Box: []byte("box"), Made: at(1)}
	return tok
}

func tokenSpent(b *bench) {
	b.update(put(unbounded, pending(1)))
	b.update(func(tx store.Tx) error {
		tok, err := tx.Tokens().Use(id[store.TokenID](1), store.PurposeVerify, at(5))
		if err == nil && (tok.Key == nil || string(tok.Key.Box) != "box" || string(tok.Sealed) != "phrase") {
			b.Errorf("Use answers %+v", tok)
		}
		return err
	})
	_ = b.View(b.ctx(), func(tx store.Tx) error {
		tok, err := tx.Tokens().Peek(id[store.TokenID](1), store.PurposeVerify, at(6))
		if tok.Used.IsZero() || tok.Key != nil || tok.Sealed != nil {
			b.Errorf("the spent row is %+v, %v", tok, err)
		}
		return nil
	})
}

func tokenSet(b *bench) {
	b.update(put(unbounded, pending(1)))
	b.update(func(tx store.Tx) error {
		tok := pending(1)
		tok.Owner, tok.Ends = "eve@example.net", at(999) // stay as they are stored
		tok.Sealed, tok.Key.Box, tok.Misses = []byte("anew"), []byte("box anew"), 3
		return tx.Tokens().Set(tok)
	})
	want := pending(1)
	want.Sealed, want.Key.Box, want.Misses = []byte("anew"), []byte("box anew"), 3
	same(b, "token", read(b, peek(1, store.PurposeVerify, at(5))), want)
	same(b, "live", live(b, store.PurposeVerify, bob, at(5)), []byte{1})
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Tokens().Set(pending(2)) })
}

func tokenList(b *bench) {
	b.update(put(unbounded, token(3, store.PurposeReset, bob), token(1, store.PurposeTemp, bob), token(2, store.PurposeWelcome, "eve@example.net")))
	b.update(func(tx store.Tx) error {
		_, err := tx.Tokens().Use(id[store.TokenID](1), store.PurposeTemp, at(4))
		return err
	})
	var found []byte
	for c := store.Cursor(""); ; {
		var next store.Cursor
		for _, tok := range read(b, func(tx store.Tx) (page []store.Token, err error) {
			page, next, err = tx.Tokens().List(c, 2)
			return page, err
		}) {
			found = append(found, tok.ID[0])
		}
		if c = next; c == "" {
			break
		}
	}
	same(b, "listed", found, []byte{1, 2, 3})
}

func tokenEnds(b *bench) {
	b.update(put(unbounded, token(1, store.PurposeReset, bob)))
	read(b, peek(1, store.PurposeReset, at(61).Add(-time.Millisecond)))
	missing(b, store.ErrExpired, peek(1, store.PurposeReset, at(61)))
	b.fails(store.ErrExpired, func(tx store.Tx) error {
		tok, err := tx.Tokens().Use(id[store.TokenID](1), store.PurposeReset, at(61))
		same(b, "row of an expired token", tok.Owner, bob)
		return err
	})
}

func keepLimits(b *bench) {
	two := store.Keep{Max: 2}
	b.update(put(two, token(1, store.PurposeVerify, bob), token(2, store.PurposeVerify, bob)))
	b.fails(store.ErrLimit, put(two, token(3, store.PurposeVerify, bob)))
	b.update(put(two, token(4, store.PurposeVerify, "bob@example.net.au"), token(5, store.PurposeReset, bob)))
	b.update(func(tx store.Tx) error {
		_, err := tx.Tokens().Use(id[store.TokenID](1), store.PurposeVerify, at(3))
		return err
	})
	b.update(put(two, token(6, store.PurposeVerify, bob)))
	same(b, "live", live(b, store.PurposeVerify, bob, at(6)), []byte{2, 6})
	b.fails(store.ErrLimit, put(two, token(7, store.PurposeVerify, bob)))
	b.update(put(two, token(64, store.PurposeVerify, bob))) // the second one has ended
	same(b, "live later", live(b, store.PurposeVerify, bob, at(64)), []byte{6, 64})
	missing(b, store.ErrExpired, peek(2, store.PurposeVerify, at(64)))
	missing(b, store.ErrUsed, peek(1, store.PurposeVerify, at(64)))
}

func keepDrops(b *bench) {
	one := store.Keep{Max: 1, Drop: true}
	b.update(put(one, token(1, store.PurposeTemp, bob)))
	b.update(put(one, token(2, store.PurposeTemp, bob)))
	missing(b, store.ErrNotFound, peek(1, store.PurposeTemp, at(3)))
	same(b, "live", live(b, store.PurposeTemp, bob, at(3)), []byte{2})
	b.update(put(store.Keep{Max: 3, Drop: true}, token(3, store.PurposeTemp, bob), token(4, store.PurposeTemp, bob)))
	b.update(put(store.Keep{Max: 2, Drop: true}, token(5, store.PurposeTemp, bob)))
	same(b, "live", live(b, store.PurposeTemp, bob, at(6)), []byte{4, 5})
}

func tokensTogether(b *bench) {
	b.update(put(unbounded, token(1, store.PurposeTemp, bob), token(2, store.PurposeTemp, bob),
		token(3, store.PurposeReset, bob), token(4, store.PurposeAlias, bob), token(5, store.PurposeTemp, "eve@example.net")))
	b.update(func(tx store.Tx) error {
		if _, err := tx.Tokens().Use(id[store.TokenID](2), store.PurposeTemp, at(6)); err != nil {
			return err
		}
		return tx.Tokens().DeleteAll(store.PurposeTemp, bob)
	})
	missing(b, store.ErrNotFound, peek(1, store.PurposeTemp, at(7)))
	missing(b, store.ErrUsed, peek(2, store.PurposeTemp, at(7)))
	same(b, "another purpose", live(b, store.PurposeReset, bob, at(7)), []byte{3})
	b.update(func(tx store.Tx) error { return tx.Tokens().DeleteAll("", bob) })
	same(b, "another purpose", len(live(b, store.PurposeReset, bob, at(7))), 0)
	missing(b, store.ErrNotFound, peek(4, store.PurposeAlias, at(7)))
	same(b, "another owner", live(b, store.PurposeTemp, "eve@example.net", at(7)), []byte{5})
}

func tokensExpire(b *bench) {
	b.update(put(unbounded, token(1, store.PurposeTemp, bob), token(2, store.PurposeTemp, bob)))
	b.update(func(tx store.Tx) error {
		_, err := tx.Tokens().Use(id[store.TokenID](2), store.PurposeTemp, at(10))
		return err
	})
	ended := func(t time.Time) []store.TokenID {
		return read(b, func(tx store.Tx) ([]store.TokenID, error) { return tx.Tokens().Expired(t, 9) })
	}
	same(b, "before", len(ended(at(10).Add(-time.Millisecond))), 0)
	same(b, "after the use", ended(at(10)), []store.TokenID{id[store.TokenID](2)})
	same(b, "after the end", ended(at(61)), []store.TokenID{id[store.TokenID](2), id[store.TokenID](1)})
	b.update(func(tx store.Tx) error {
		if err := tx.Tokens().Delete(id[store.TokenID](3)); err != nil {
			return err
		}
		return tx.Tokens().Delete(id[store.TokenID](1))
	})
	same(b, "after one was deleted", ended(at(99)), []store.TokenID{id[store.TokenID](2)})
}

func tokensEmptied(b *bench) {
	full := func(n byte) store.Token {
		tok := token(n, store.PurposeVerify, bob)
		tok.Sealed, tok.Key, tok.Misses = []byte{n}, &store.KeyVersion{ID: "kid"}, 2
		return tok
	}
	b.update(put(unbounded, full(1), full(2), full(3), token(4, store.PurposeVerify, bob)))
	b.update(func(tx store.Tx) error {
		_, err := tx.Tokens().Use(id[store.TokenID](2), store.PurposeVerify, at(10))
		return err
	})
	empty := func(t time.Time, n int) (done int) {
		b.update(func(tx store.Tx) (err error) {
			done, err = tx.Tokens().Empty(t, n)
			return err
		})
		return done
	}
	held := func(n byte) (tok store.Token) {
		_ = b.View(b.ctx(), func(tx store.Tx) (err error) {
			tok, err = tx.Tokens().Peek(id[store.TokenID](n), store.PurposeVerify, at(99))
			return err
		})
		return tok
	}
	same(b, "before their end", empty(at(61).Add(-time.Millisecond), 9), 0)
	same(b, "at the end of the first", empty(at(61), 9), 1)
	same(b, "with a bound", empty(at(99), 1), 1)
	same(b, "when all is done", empty(at(99), 9), 0)
	for _, n := range []byte{1, 3} {
		if tok := held(n); tok.Key != nil || tok.Sealed != nil || tok.Misses != 2 || tok.Owner != bob {
			b.Errorf("the row that ended is %+v", tok)
		}
	}
	b.update(put(unbounded, full(5)))
	b.update(func(tx store.Tx) error {
		tok := full(5)
		tok.Sealed, tok.Key = nil, nil
		return tx.Tokens().Set(tok)
	})
	same(b, "after it was emptied by hand", empty(at(99), 9), 0)
	b.update(put(unbounded, full(6)))
	b.update(func(tx store.Tx) error { return tx.Tokens().Delete(id[store.TokenID](6)) })
	same(b, "after it was deleted", empty(at(99), 9), 0)
}
