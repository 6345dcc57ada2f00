package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"postern/store"
)

func messageCases() []testCase {
	return []testCase{
		{"EveryFieldOfAMessageSurvives", everyFieldOfMessage},
		{"EveryFieldOfARecipientSurvives", everyFieldOfRecipient},
		{"CreateRefusesTakenIDs", createTaken},
		{"CreateRefusesForeignRecipients", createForeign},
		{"CreateWithThousandRecipients", createThousand},
		{"SetDemandsTheStoredVersion", setVersion},
		{"SetMessageLeavesRefsAndBlob", setMessage},
		{"ValuesAreCopies", valuesAreCopies},
		{"LinksLeadToTheRecipientAlsoAfterItsEnd", links},
		{"LinksBelongToOneRecipient", linkTaken},
		{"ByMsgIDListsNewestFirst", byMsgID},
		{"ByEndListsNewestFirst", byEnd},
		{"SetMovesMessageIndexes", setMessageMoves},
		{"RefusedMessagesMakeRoomForNewerOnes", refusedMakeRoom},
		{"RefusedFloodIsCounted", refusedFlood},
		{"RefuseTakesOnlyWhatBelongsTogether", refuseForeign},
	}
}

func everyFieldOfMessage(b *bench) {
	m := filled[store.Message]()
	given := m
	given.Grants = slices.Clone(m.Grants)
	b.create(m)
	same(b, "the caller's record", m, given)
	got := read(b, func(tx store.Tx) (store.Message, error) { return tx.Messages().Get(m.ID) })
	same(b, "message", got, cutTimes(m))

	m.At = m.At.Add(1)
	m.Card = []byte("another card")
	b.update(func(tx store.Tx) error { return tx.Messages().SetMessage(m) })
	got = read(b, func(tx store.Tx) (store.Message, error) { return tx.Messages().Get(m.ID) })
	same(b, "rewritten message", got, cutTimes(m))
}

func everyFieldOfRecipient(b *bench) {
	m := message(0)
	r := filled[store.Recipient]()
	r.Key = store.RcptKey{Message: m.ID, N: 7}
	b.create(m, r)
	want := cutTimes(r)
	want.Version = 1
	same(b, "recipient", b.recipient(r.Key), want)
	rows := walk(b, 10, func(tx store.Tx, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error) {
		return tx.Messages().Recipients(m.ID, c, n)
	})
	same(b, "recipients", rows, []store.Recipient{want})
}

func createTaken(b *bench) {
	m := message(0)
	b.create(m, relayed(m, 1, "bob@example.net"))
	b.fails(store.ErrExists, func(tx store.Tx) error { return tx.Messages().Create(m, nil) })
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Message, error) { return tx.Messages().Get(message(0).ID) })
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Recipient, error) {
		return tx.Messages().Recipient(store.RcptKey{Message: m.ID, N: 2})
	})
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Messages().SetMessage(message(0)) })
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Messages().Set(relayed(m, 9, "bob@example.net")) })
}

func createForeign(b *bench) {
	m, other := message(0), message(1)
	for name, rcpts := range map[string][]store.Recipient{
		"of another message": {relayed(other, 1, "bob@example.net")},
		"without number":     {relayed(m, 0, "bob@example.net")},
		"twice":              {relayed(m, 1, "bob@example.net"), relayed(m, 1, "eve@example.net")},
	} {
		err := b.Update(b.ctx(), func(tx store.Tx) error { return tx.Messages().Create(m, rcpts) })
		if err == nil {
			b.Errorf("a recipient %s was taken", name)
		}
	}
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Message, error) { return tx.Messages().Get(m.ID) })
}

func createThousand(b *bench) {
	m := message(0)
	var rcpts []store.Recipient
	for i := range uint32(1000) {
		r := sealed(m, i+1, fmt.Sprintf("bob%d@example.net", i), 10)
		r.Grants = []store.Grant{{Kind: store.GrantLink, Link: newLink(), Data: bytes.Repeat([]byte("g"), 100)}}
		rcpts = append(rcpts, r)
	}
	b.create(m, rcpts...)
	rows := walk(b, 300, func(tx store.Tx, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error) {
		return tx.Messages().Recipients(m.ID, c, n)
	})
	if len(rows) != 1000 {
		b.Fatalf("%d recipients, want 1000", len(rows))
	}
	for i, r := range rows {
		if r.Key != rcpts[i].Key || r.Address != rcpts[i].Address {
			b.Fatalf("recipient %d is %s, want %s: order by number", i, r.Key, rcpts[i].Key)
		}
	}
}

func setVersion(b *bench) {
	m := message(0)
	r := sealed(m, 1, "bob@example.net", 10)
	b.create(m, r)
	r.Version = 1
	b.update(func(tx store.Tx) error {
		if err := tx.Messages().Set(r); err != nil {
			return err
		}
		again, err := tx.Messages().Recipient(r.Key)
		if err == nil && again.Version != 2 {
			err = fmt.Errorf("version %d inside the transaction, want 2", again.Version)
		}
		return err
	})
	b.fails(store.ErrConflict, func(tx store.Tx) error { return tx.Messages().Set(r) })
	r.Version = 3
	b.fails(store.ErrConflict, func(tx store.Tx) error { return tx.Messages().Set(r) })
	same(b, "version", b.recipient(r.Key).Version, 2)
}

func setMessage(b *bench) {
	m := message(0)
	m.Refs, m.Blob = 3, id[store.BlobID](1)
	b.create(m)
	stale := m
	stale.Refs, stale.Blob, stale.List = 7, id[store.BlobID](2), true
	b.update(func(tx store.Tx) error { return tx.Messages().SetMessage(stale) })
	got := read(b, func(tx store.Tx) (store.Message, error) { return tx.Messages().Get(m.ID) })
	if got.Refs != 3 || got.Blob != m.Blob || !got.List {
		b.Fatalf("refs %d, blob %s, list %t", got.Refs, got.Blob, got.List)
	}
}

// valuesAreCopies changes what went in and what came out, inside and after the transaction.
func valuesAreCopies(b *bench) {
	m := message(0)
	m.Card = []byte("card")
	r := sealed(m, 1, "bob@example.net", 10)
	r.Grants = []store.Grant{{Kind: store.GrantAccount, Data: []byte("grant")}}
	body := []byte("body")
	b.update(func(tx store.Tx) error {
		m.Card, body, r.Grants[0].Data = []byte("card"), []byte("body"), []byte("grant")
		if err := tx.Messages().Create(m, []store.Recipient{r}); err != nil {
			return err
		}
		if err := tx.Bodies().Put(m.ID, body); err != nil {
			return err
		}
		m.Card[0], body[0], r.Grants[0].Data[0] = 'X', 'X', 'X'
		return nil
	})
	check := func() {
		got := read(b, func(tx store.Tx) (store.Message, error) { return tx.Messages().Get(m.ID) })
		share := b.recipient(r.Key)
		inline := read(b, func(tx store.Tx) ([]byte, error) { return tx.Bodies().Get(m.ID) })
		if string(got.Card) != "card" || string(share.Grants[0].Data) != "grant" || string(inline) != "body" {
			b.Fatalf("stored values changed: %q, %q, %q", got.Card, share.Grants[0].Data, inline)
		}
		got.Card[0], share.Grants[0].Data[0], inline[0] = 'Y', 'Y', 'Y'
	}
	check()
	check()
}

func links(b *bench) {
	m := message(0)
	first, second := id[store.LinkID](1), id[store.LinkID](2)
	r := sealed(m, 1, "bob@example.net", 10)
	r.Grants = []store.Grant{{Kind: store.GrantLink, Link: first, Data: []byte("g")}}
	r.Links = []store.LinkID{first}
	b.create(m, r)
	b.change(r.Key, func(r *store.Recipient) { r.Links = append(r.Links, second) })
	b.change(r.Key, func(r *store.Recipient) { r.Grants, r.State = nil, store.StateExpired })
	for _, l := range []store.LinkID{first, second} {
		got := read(b, func(tx store.Tx) (store.Recipient, error) { return tx.Messages().ByLink(l) })
		same(b, "recipient of a link", got.Key, r.Key)
	}
	b.change(r.Key, func(r *store.Recipient) { r.Links = []store.LinkID{second} })
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Recipient, error) { return tx.Messages().ByLink(first) })
}

func linkTaken(b *bench) {
	m, other := message(0), message(1)
	r, s := sealed(m, 1, "bob@example.net", 10), sealed(other, 1, "eve@example.net", 10)
	r.Links = []store.LinkID{id[store.LinkID](1)}
	b.create(m, r)
	b.create(other, s)
	s.Links, s.Version = r.Links, 1
	b.fails(store.ErrExists, func(tx store.Tx) error { return tx.Messages().Set(s) })
	same(b, "owner of the link", read(b, func(tx store.Tx) (store.Recipient, error) {
		return tx.Messages().ByLink(r.Links[0])
	}).Key, r.Key)
}

func byMsgID(b *bench) {
	var want []store.MessageID
	for n := range 4 {
		m := message(n)
		m.Thread = store.ThreadID{1}
		if n == 3 {
			m.Thread = store.ThreadID{}
		} else {
			want = slices.Insert(want, 0, m.ID)
		}
		b.create(m)
	}
	find := func(id store.ThreadID, n int) []store.MessageID {
		return read(b, func(tx store.Tx) ([]store.MessageID, error) { return tx.Messages().ByMsgID(id, n) })
	}
	same(b, "messages of a Message-ID", find(store.ThreadID{1}, 10), want)
	same(b, "the newest two", find(store.ThreadID{1}, 2), want[:2])
	if got := find(store.ThreadID{}, 10); len(got) != 0 {
		b.Fatalf("messages without Message-ID are found by the zero hash: %v", got)
	}
}

func byEnd(b *bench) {
	var all []store.MessageID
	for n := range 4 {
		m := message(n)
		copy(m.ID[10:], []byte{1, 2, 3, 4, 5, byte(n % 2)})
		b.create(m, sealed(m, 1, "bob@mail.example", 9), relayed(m, 2, "carol@mail.example"))
		all = append(all, m.ID)
	}
	b.change(store.RcptKey{Message: all[3], N: 1}, func(r *store.Recipient) { r.State = store.StateOpened })
	find := func(e store.IDEnd) []store.MessageID {
		return read(b, func(tx store.Tx) ([]store.MessageID, error) { return tx.Messages().ByEnd(e) })
	}
	same(b, "messages with an end", find(all[1].End()), []store.MessageID{all[3], all[1]})
	if got := find(store.IDEnd{1}); len(got) != 0 {
		b.Errorf("an end that no id has: %v", got)
	}
}

func setMessageMoves(b *bench) {
	m := message(0)
	m.Thread, m.Writer = store.ThreadID{1}, id[store.AccountID](1)
	b.create(m)
	m.Thread, m.Writer = store.ThreadID{2}, id[store.AccountID](2)
	b.update(func(tx store.Tx) error { return tx.Messages().SetMessage(m) })
	for n, want := range map[byte]int{1: 0, 2: 1} {
		ids := read(b, func(tx store.Tx) ([]store.MessageID, error) { return tx.Messages().ByMsgID(store.ThreadID{n}, 9) })
		sent := read(b, func(tx store.Tx) ([]store.Message, error) {
			rows, _, err := tx.Messages().Sent(id[store.AccountID](n), "", 9)
			return rows, err
		})
		if len(ids) != want || len(sent) != want {
			b.Errorf("hash and writer %d: %d and %d messages, want %d", n, len(ids), len(sent), want)
		}
	}
}

// refusal is a message that was refused for n recipients, and the event that tells it.
func refusal(minute, n int) (store.Message, []store.Recipient, store.Event) {
	m := message(minute)
	m.Refs, m.Thread = 0, store.ThreadID{byte(minute)}
	var rcpts []store.Recipient
	for i := range n {
		r := relayed(m, uint32(i+1), "bob@example.net")
		r.Action, r.State, r.Rule, r.Return = store.ActionReject, store.StateRefused, "tag", address("bounces@example.org")
		rcpts = append(rcpts, r)
	}
	return m, rcpts, store.Event{ID: store.NewEventID(at(minute)), What: store.EventRefused, Message: m.ID, Actor: "system"}
}

// refusedMakeRoom: refused messages are found like others until newer ones have filled their room; then their events
// alone are left. Messages that were accepted for others make no room.
func refusedMakeRoom(b *bench) {
	room := store.RefusedRoom{Recipients: 5, Hourly: 99}
	accepted := message(0)
	part := relayed(accepted, 1, "bob@example.net")
	part.Action, part.State = store.ActionReject, store.StateRefused
	b.create(accepted, part)
	var all []store.MessageID
	refuse := func(n int) {
		m, rcpts, e := refusal(len(all)+1, n)
		b.update(func(tx store.Tx) error { return tx.Messages().Refuse(m, rcpts, e, room) })
		all = append(all, m.ID)
	}
	known := func() (kept int) {
		for i, id := range all {
			b.view(func(tx store.Tx) error {
				m, err := tx.Messages().Get(id)
				rows, _, _ := tx.Messages().Recipients(id, "", 9)
				events, _, _ := tx.Audit().OfMessage(id, "", 9)
				ids, _ := tx.Messages().ByMsgID(store.ThreadID{byte(i + 1)}, 9)
				if whole := err == nil; len(events) != 1 || whole != (len(rows) > 0) || whole != (len(ids) == 1) || whole != m.Refused {
					b.Errorf("message %d is kept in part: %v, %d recipients, %d events, %d by its Message-ID", i, err, len(rows), len(events), len(ids))
				} else if whole {
					kept++
				}
				return nil
			})
		}
		return kept
	}
	for i, step := range []struct{ rcpts, kept, rows int }{{2, 1, 2}, {2, 2, 4}, {1, 3, 5}, {1, 3, 4}, {1, 4, 5}, {9, 1, 9}, {1, 1, 1}} {
		refuse(step.rcpts)
		if got := known(); got != step.kept {
			b.Errorf("step %d: %d messages are kept, want %d", i, got, step.kept)
		}
		for _, f := range []store.Filter{
			{State: store.StateRefused, Rule: "tag"}, {Action: store.ActionReject, Sender: "bounces@example.org"}, {Rcpt: "bob@example.net", Rule: "tag"},
		} {
			rows := walk(b, 4, func(tx store.Tx, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error) {
				return tx.Messages().List(f, c, n)
			})
			if len(rows) != step.rows {
				b.Errorf("step %d: %+v finds %d recipients, want %d", i, f, len(rows), step.rows)
			}
		}
	}
	if r := b.recipient(part.Key); r.State != store.StateRefused {
		b.Errorf("a recipient of an accepted message: %+v", r)
	}
}

// refusedFlood: of an hour's refusals the first are kept, the others are counted, and one event says so. Those of another
// hour are kept again, and nothing of what was refused before the flood is lost by it.
func refusedFlood(b *bench) {
	room := store.RefusedRoom{Recipients: 99, Hourly: 3}
	refuse := func(minute int) store.MessageID {
		m, rcpts, e := refusal(minute, 2)
		b.update(func(tx store.Tx) error { return tx.Messages().Refuse(m, rcpts, e, room) })
		return m.ID
	}
	hour := 60 - at(0).Minute() // in which the next one begins
	early := refuse(hour - 1)
	var flood []store.MessageID
	for i := range 7 {
		flood = append(flood, refuse(hour+i))
	}
	late := refuse(hour + 60)
	b.view(func(tx store.Tx) error {
		for i, id := range append(flood, early, late) {
			_, err := tx.Messages().Get(id)
			events, _, _ := tx.Audit().OfMessage(id, "", 9)
			if kept := err == nil; kept != (i < room.Hourly || i >= len(flood)) || kept != (len(events) == 1) {
				b.Errorf("message %d: %v, %d events", i, err, len(events))
			}
		}
		told, _, err := tx.Audit().List(store.EventFilter{What: store.EventRefusedMany}, "", 9)
		if err != nil || len(told) != 1 || !told[0].At().Equal(at(hour+room.Hourly)) {
			b.Errorf("what tells of the flood: %+v, %v", told, err)
		}
		tallies, err := tx.Audit().Tally(at(hour), at(hour+59))
		if err != nil || !slices.ContainsFunc(tallies, func(t store.Tally) bool { return t.What == store.EventRefused && t.N == int64(len(flood)) }) {
			b.Errorf("counted %+v, %v", tallies, err)
		}
		return nil
	})
}

func refuseForeign(b *bench) {
	m, rcpts, e := refusal(1, 1)
	other, _, foreign := refusal(2, 1)
	room := store.RefusedRoom{Recipients: 5, Hourly: 9}
	accepted := e
	accepted.What = store.EventAccepted
	for _, f := range []func(store.Messages) error{
		func(t store.Messages) error { return t.Refuse(m, nil, e, room) },
		func(t store.Messages) error { return t.Refuse(m, rcpts, foreign, room) },
		func(t store.Messages) error { return t.Refuse(m, rcpts, accepted, room) },
		func(t store.Messages) error { return t.Refuse(other, rcpts, foreign, room) },
	} {
		b.fails(nil, func(tx store.Tx) error { return f(tx.Messages()) })
	}
}
