package storetest

import (
	"fmt"

	"postern/store"
)

func groupCases() []testCase {
	return []testCase{
		{"EveryFieldOfAGroupSurvives", everyFieldOfGroup},
		{"GroupNamesAreUnique", groupNames},
		{"GroupPeopleWaitAndAreDone", groupPeople},
	}
}

func newGroup(n byte, name string) store.Group {
	return store.Group{ID: id[store.GroupID](n), Name: name, Created: at(int(n)), By: "socket"}
}

func (b *bench) addGroups(all ...store.Group) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		for _, g := range all {
			if err := tx.Groups().Create(g); err != nil {
				return err
			}
		}
		return nil
	})
}

func everyFieldOfGroup(b *bench) {
	g := filled[store.Group]()
	b.addGroups(g)
	want := cutTimes(g)
	want.Version = 1
	same(b, "group", read(b, func(tx store.Tx) (store.Group, error) { return tx.Groups().Get(g.ID) }), want)
	p := filled[store.GroupPerson]()
	p.Group = g.ID
	b.update(func(tx store.Tx) error { return tx.Groups().Put(p) })
	same(b, "person", read(b, func(tx store.Tx) (store.GroupPerson, error) { return tx.Groups().Person(g.ID, p.Address.Key()) }), cutTimes(p))
	p.Group = id[store.GroupID](99)
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Groups().Put(p) })
}

func groupNames(b *bench) {
	b.addGroups(newGroup(1, "Finance"), newGroup(2, "Adult care"))
	for _, g := range []store.Group{newGroup(3, "FINANCE"), newGroup(1, "New")} {
		b.fails(store.ErrExists, func(tx store.Tx) error { return tx.Groups().Create(g) })
	}
	b.fails(nil, func(tx store.Tx) error { return tx.Groups().Create(newGroup(3, "")) })
	found := read(b, func(tx store.Tx) (store.Group, error) { return tx.Groups().ByName("finance") })
	same(b, "by name", found.ID, id[store.GroupID](1))
	found.Name = "Treasury"
	b.update(func(tx store.Tx) error { return tx.Groups().Set(found) })
	b.fails(store.ErrConflict, func(tx store.Tx) error { return tx.Groups().Set(found) })
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Group, error) { return tx.Groups().ByName("Finance") })
	var names []string
	for _, g := range walk(b, 1, func(tx store.Tx, c store.Cursor, n int) ([]store.Group, store.Cursor, error) {
		return tx.Groups().List(c, n)
	}) {
		names = append(names, g.Name)
	}
	same(b, "list", names, []string{"Adult care", "Treasury"})
}

func groupPeople(b *bench) {
	one, two := newGroup(1, "One"), newGroup(2, "Two")
	b.addGroups(one, two)
	put := func(g store.Group, addr, outcome string) {
		b.update(func(tx store.Tx) error {
			return tx.Groups().Put(store.GroupPerson{Group: g.ID, Address: address(addr), Class: store.ClassMember, Added: at(0), Outcome: outcome, Unsent: outcome == "disabled"})
		})
	}
	waiting := func(g store.Group, n int) (out []string) {
		for _, p := range read(b, func(tx store.Tx) ([]store.GroupPerson, error) { return tx.Groups().Waiting(g.ID, n) }) {
			out = append(out, p.Address.Local)
		}
		return out
	}
	counts := func(g store.Group) store.GroupCount {
		return read(b, func(tx store.Tx) (store.GroupCount, error) { return tx.Groups().Count(g.ID) })
	}
	for n := range 5 {
		put(one, fmt.Sprintf("p%d@example.org", n), "")
	}
	put(two, "p1@example.org", "")
	put(one, "P1@example.org", "invited")
	put(one, "p3@example.org", "disabled")
	same(b, "waiting", waiting(one, 9), []string{"p0", "p2", "p4"})
	same(b, "two of them", waiting(one, 2), []string{"p0", "p2"})
	same(b, "of the other", waiting(two, 9), []string{"p1"})
	same(b, "counts", counts(one), store.GroupCount{Waiting: 3, Sent: 1, Unsent: 1})
	put(one, "p3@example.org", "")
	same(b, "waiting again", counts(one), store.GroupCount{Waiting: 4, Sent: 1})
	put(one, "p3@example.org", "invited")
	same(b, "invited after all", counts(one), store.GroupCount{Waiting: 3, Sent: 2})
	put(one, "p3@example.org", "")
	var all []string
	for _, p := range walk(b, 2, func(tx store.Tx, c store.Cursor, n int) ([]store.GroupPerson, store.Cursor, error) {
		return tx.Groups().People(one.ID, c, n)
	}) {
		all = append(all, p.Address.Local+p.Outcome)
	}
	same(b, "people", all, []string{"p0", "P1invited", "p2", "p3", "p4"})
}
