package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/store"
)

func peopleCases() []testCase {
	return []testCase{
		{"PeopleAreFoundByAddressNameAndDomain", peopleSearch},
		{"PeopleAreListedByStatusAndClass", peopleClasses},
		{"PeopleAreListedByLastSignIn", peopleRecent},
		{"SealedRecipientsAreCountedApart", sealedApart},
		{"ListSelectsByRuleAndAction", listRules},
		{"EventsAreFilteredByActorWhatAndAccount", eventFilters},
		{"EventsAreTalliedByTheHour", eventTally},
	}
}

func person(n byte, addr, name string) store.Account {
	a := account(n, addr)
	a.Name = name
	return a
}

func found(b *bench, f store.AccountFilter, n int) []string {
	var out []string
	for _, a := range walk(b, n, func(tx store.Tx, c store.Cursor, n int) ([]store.Account, store.Cursor, error) {
		return tx.Accounts().List(f, c, n)
	}) {
		local, _, _ := strings.Cut(a.Address.String(), "@")
		out = append(out, local)
	}
	return out
}

func peopleSearch(b *bench) {
	off := person(5, "zed@example.net", "Annabel")
	off.Status = store.StatusDisabled
	b.addAccounts(person(1, "anna@example.org", "Anna Karin Öberg"), person(2, "bob@example.net", "Robert Andrews"),
		person(3, "carl@sub.example.net", "Carl"), person(4, "ann@example.net", "Ann Karlsson"), off,
		person(6, "long@example.net", strings.Repeat("ö", 100)))
	for _, n := range []int{1, 2, 100} {
		for search, want := range map[string]string{
			"ann":                    "ann anna zed",
			"ANNA ":                  "anna zed",
			"an":                     "ann anna bob zed",
			"karin":                  "anna",
			"kar":                    "anna ann", // karin, karlsson
			"anna k":                 "anna",
			"karin anna":             "anna",
			"anna andrews":           "",
			"öberg":                  "anna",
			"Öb":                     "anna",
			"example.net":            "ann bob long zed",
			"@example.org":           "anna",
			"sub.example.net":        "carl",
			"bob@example.net":        "bob",
			"bob@":                   "bob",
			"nobody":                 "",
			strings.Repeat("ö", 32):  "long",
			strings.Repeat("x", 999): "",
			"a\x00b":                 "",
			"@":                      "",
		} {
			got := strings.Join(found(b, store.AccountFilter{Search: search}, n), " ")
			if got != want {
				b.Errorf("%.40q in pages of %d finds %q, want %q", search, n, got, want)
			}
		}
	}
	same(b, "with a status", found(b, store.AccountFilter{Search: "ann", Status: store.StatusActive}, 1), []string{"ann", "anna"})
	b.changeAccount(id[store.AccountID](1), func(a *store.Account) { a.Name = "Berta" })
	same(b, "after a change of name", found(b, store.AccountFilter{Search: "karin"}, 9), nil)
	same(b, "under the new name", found(b, store.AccountFilter{Search: "bert"}, 9), []string{"anna"})
}

func peopleClasses(b *bench) {
	want := map[string][]string{}
	for n := range byte(12) {
		a := account(n+1, fmt.Sprintf("user%02d@example.net", n))
		a.Status = []store.Status{store.StatusActive, store.StatusInvited, store.StatusDisabled}[n%3]
		a.Member = n%2 == 0
		b.addAccounts(a)
		for _, key := range []string{"/", "/" + string(a.Status), string(a.Class()) + "/", string(a.Class()) + "/" + string(a.Status)} {
			want[key] = append(want[key], a.Address.Local)
		}
	}
	for _, s := range []store.Status{"", store.StatusActive, store.StatusInvited, store.StatusDisabled} {
		for _, c := range []store.Class{"", store.ClassMember, store.ClassGuest} {
			key := string(c) + "/" + string(s)
			for _, n := range []int{1, 3, 100} {
				same(b, key, found(b, store.AccountFilter{Status: s, Class: c}, n), want[key])
			}
			same(b, "count "+key, read(b, func(tx store.Tx) (int64, error) { return tx.Accounts().Count(s, c) }), int64(len(want[key])))
		}
	}
	b.changeAccount(id[store.AccountID](1), func(a *store.Account) { a.Member = false })
	same(b, "members", len(found(b, store.AccountFilter{Class: store.ClassMember}, 4)), 5)
	same(b, "guests", read(b, func(tx store.Tx) (int64, error) { return tx.Accounts().Count("", store.ClassGuest) }), 7)
}

func peopleRecent(b *bench) {
	for n, seen := range []int{5, 0, 9, 7} {
		a := account(byte(n+1), fmt.Sprintf("user%d@example.net", n))
		if seen > 0 {
			a.LastSignIn = at(seen)
		}
		b.addAccounts(a)
	}
	for _, n := range []int{1, 3, 9} {
		same(b, "recent", found(b, store.AccountFilter{Recent: true}, n), []string{"user2", "user3", "user0", "user1"})
	}
	b.changeAccount(id[store.AccountID](2), func(a *store.Account) { a.LastSignIn = at(20) })
	same(b, "after a sign-in", found(b, store.AccountFilter{Recent: true, Class: store.ClassGuest}, 1), []string{"user1", "user2", "user3", "user0"})
}

func sealedApart(b *bench) {
	counts := func(s store.State) [2]int64 {
		return read(b, func(tx store.Tx) (out [2]int64, err error) {
			if out[0], err = tx.Messages().CountState(s, false); err == nil {
				out[1], err = tx.Messages().CountState(s, true)
			}
			return out, err
		})
	}
	m := message(1)
	open, plain := sealed(m, 1, "bob@example.net", 10), sealed(m, 2, "carl@example.net", 0)
	open.State, plain.State = store.StateQueued, store.StateQueued
	plain.Action, plain.Expires, plain.Grants, plain.Links = store.ActionRelay, time.Time{}, nil, nil
	b.update(func(tx store.Tx) error { return tx.Messages().Create(m, []store.Recipient{open, plain}) })
	same(b, "queued", counts(store.StateQueued), [2]int64{2, 1})
	expiring := func(minute, most int) int {
		return read(b, func(tx store.Tx) (int, error) { return tx.Messages().CountExpiring(at(minute), most) })
	}
	same(b, "expiring early", expiring(9, 10), 0)
	same(b, "expiring", expiring(10, 10), 1)
	same(b, "at most none", expiring(10, 0), 0)
	b.update(func(tx store.Tx) error {
		r, err := tx.Messages().Recipient(open.Key)
		if err != nil {
			return err
		}
		r.State = store.StateOpened
		return tx.Messages().Set(r)
	})
	same(b, "queued afterwards", counts(store.StateQueued), [2]int64{1, 0})
	same(b, "opened", counts(store.StateOpened), [2]int64{1, 1})
}

func listRules(b *bench) {
	var tag, refused, all []store.RcptKey
	for n := range 8 {
		m := message(n)
		r := sealed(m, 1, "bob@example.net", 1000)
		r.Rule = "tag"
		switch n % 4 {
		case 1:
			r.Action, r.Rule, r.Expires, r.Grants, r.Links = store.ActionRelay, "default", time.Time{}, nil, nil
		case 2:
			r.Action, r.State, r.Expires, r.Grants, r.Links = store.ActionReject, store.StateRefused, time.Time{}, nil, nil
		}
		b.update(func(tx store.Tx) error { return tx.Messages().Create(m, []store.Recipient{r}) })
		if r.Rule == "tag" {
			tag = slices.Insert(tag, 0, r.Key)
		}
		if r.Action == store.ActionReject {
			refused = slices.Insert(refused, 0, r.Key)
		}
		all = slices.Insert(all, 0, r.Key)
	}
	for _, n := range []int{1, 3, 100} {
		same(b, "rule", keys(walk(b, n, listed(store.Filter{Rule: "tag"}))), tag)
		same(b, "action", keys(walk(b, n, listed(store.Filter{Action: store.ActionReject}))), refused)
		same(b, "both", keys(walk(b, n, listed(store.Filter{Action: store.ActionReject, Rule: "tag"}))), refused)
		same(b, "neither", len(walk(b, n, listed(store.Filter{Rule: "default", Action: store.ActionSeal}))), 0)
		same(b, "relay does not select", keys(walk(b, n, listed(store.Filter{Action: store.ActionRelay}))), all)
	}
}

func eventFilters(b *bench) {
	ann, acc := "ann@example.org", id[store.AccountID](1)
	var all []store.Event
	for n, e := range []store.Event{
		{What: store.EventAccepted, Actor: "system"}, {What: store.EventRecalled, Actor: ann}, {What: store.EventDisabled, Actor: ann, Account: acc},
		{What: store.EventDisabled, Actor: "socket", Account: acc}, {What: store.EventSignedIn, Actor: "recipient", Account: acc},
		{What: store.EventQueueDrop, Actor: ann}, {What: store.EventQueueRetry, Actor: "socket"}, {What: store.EventAccepted, Actor: "system"},
	} {
		e.ID = store.NewEventID(at(n))
		all = append(all, e)
	}
	b.add(all...)
	b.fails(nil, func(tx store.Tx) error {
		return tx.Audit().Add(store.Event{ID: store.NewEventID(at(1)), What: store.EventOpened, Actor: "a\x00b"})
	})
	for _, n := range []int{1, 3, 100} {
		for name, c := range map[string]struct {
			f    store.EventFilter
			want []int
		}{
			"actor":                {store.EventFilter{Actor: ann}, []int{5, 2, 1}},
			"nobody in particular": {store.EventFilter{Actor: "system"}, []int{7, 0}},
			"what":                 {store.EventFilter{What: store.EventDisabled}, []int{3, 2}},
			"family":               {store.EventFilter{What: "queue."}, []int{6, 5}},
			"account":              {store.EventFilter{Account: acc}, []int{4, 3, 2}},
			"actor and what":       {store.EventFilter{Actor: ann, What: store.EventDisabled}, []int{2}},
			"actor and family":     {store.EventFilter{Actor: ann, What: "queue."}, []int{5}},
			"account and what":     {store.EventFilter{Account: acc, What: store.EventSignedIn}, []int{4}},
			"actor and time":       {store.EventFilter{Actor: ann, From: at(2), To: at(5)}, []int{2}},
			"what and time":        {store.EventFilter{What: store.EventDisabled, To: at(3)}, []int{2}},
			"account and from":     {store.EventFilter{Account: acc, From: at(3)}, []int{4, 3}},
			"nobody":               {store.EventFilter{Actor: "zoe@example.org"}, nil},
		} {
			var got []int
			for _, e := range walk(b, n, func(tx store.Tx, c2 store.Cursor, n int) ([]store.Event, store.Cursor, error) {
				return tx.Audit().List(c.f, c2, n)
			}) {
				got = append(got, slices.IndexFunc(all, func(x store.Event) bool { return x.ID == e.ID }))
			}
			if !slices.Equal(got, c.want) {
				b.Errorf("%s in pages of %d: %v, want %v", name, n, got, c.want)
			}
		}
	}
}

func eventTally(b *bench) {
	hour := at(0).Truncate(time.Hour)
	minute := func(n int) store.EventID { return store.NewEventID(hour.Add(time.Duration(n) * time.Minute)) }
	b.add(store.Event{ID: minute(0), What: store.EventOpened}, store.Event{ID: minute(59), What: store.EventOpened},
		store.Event{ID: minute(60), What: store.EventOpened}, store.Event{ID: minute(61), What: store.EventExpired}, store.Event{ID: minute(180), What: store.EventOpened})
	m := message(0)
	m.ID = store.NewMessageID(hour.Add(70 * time.Minute))
	b.update(func(tx store.Tx) error {
		return tx.Messages().Create(m, []store.Recipient{sealed(m, 1, "bob@example.net", 100), sealed(m, 2, "carl@example.net", 100)})
	})
	b.change(store.RcptKey{Message: m.ID, N: 1}, func(r *store.Recipient) { r.State = store.StateOpened })
	b.change(store.RcptKey{Message: m.ID, N: 2}, func(r *store.Recipient) { r.State, r.Since = store.StateFailed, hour.Add(80*time.Minute) })
	next := hour.Add(time.Hour)
	want := []store.Tally{{Hour: hour, What: store.EventOpened, N: 2}, {Hour: next, What: store.EventExpired, N: 1},
		{Hour: next, What: store.EventOpened, N: 1}, {Hour: next, What: store.TallySealed, N: 2}, {Hour: next, What: store.TallySealedFailed, N: 1}}
	tally := func(from, to time.Time) []store.Tally {
		return read(b, func(tx store.Tx) ([]store.Tally, error) { return tx.Audit().Tally(from, to) })
	}
	same(b, "two hours", tally(hour, hour.Add(2*time.Hour)), want)
	same(b, "from within an hour", tally(next.Add(time.Minute), next.Add(2*time.Minute)), want[1:])
	same(b, "nothing", len(tally(hour.Add(5*time.Hour), hour.Add(9*time.Hour))), 0)
}
