package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"postern/store"
)

// groups implements store.Groups.
type groups struct{ t *tx }

func (g groups) Create(x store.Group) error {
	if x.ID.IsZero() {
		return errors.New("create group: it has no id")
	}
	if g.t.has(groupsB, x.ID[:]) {
		return fmt.Errorf("create group %s: %w", x.ID, store.ErrExists)
	}
	x.Version = 1
	return g.write(nil, x)
}

func (g groups) write(old *store.Group, x store.Group) error {
	if err := checkText("name", x.Name); err != nil {
		return fmt.Errorf("group %s: %w", x.ID, err)
	}
	cut(&x.Created, &x.Enabled)
	value, err := encode("group", x)
	if err != nil {
		return err
	}
	will := groupEntries(x)
	if owner := g.t.get(groupNameB, will[0].key); owner != nil && !bytes.Equal(owner, x.ID[:]) {
		return fmt.Errorf("name of group %s: %w", x.ID, store.ErrExists)
	}
	var was []entry
	if old != nil {
		was = groupEntries(*old)
	}
	if err := g.t.move(was, will); err != nil {
		return err
	}
	return g.t.put(groupsB, x.ID[:], value)
}

// groupEntries are the index entries of a group.
func groupEntries(x store.Group) []entry {
	return []entry{{in: groupNameB, key: groupName(x.Name), val: x.ID[:]}}
}

// groupName is a name as names are compared.
func groupName(name string) []byte { return []byte(strings.ToLower(norm.NFC.String(name))) }

func (g groups) Get(id store.GroupID) (x store.Group, err error) {
	value := g.t.get(groupsB, id[:])
	if value == nil {
		return x, fmt.Errorf("group %s: %w", id, store.ErrNotFound)
	}
	if !decode(value, &x) {
		return store.Group{}, corrupt("group", id)
	}
	x.ID = id
	return x, nil
}

func (g groups) ByName(name string) (store.Group, error) {
	owner := g.t.get(groupNameB, groupName(name))
	if owner == nil {
		return store.Group{}, fmt.Errorf("group: %w", store.ErrNotFound)
	}
	return g.listed(owner)
}

func (g groups) listed(owner []byte) (store.Group, error) {
	id := toID[store.GroupID](owner)
	x, err := g.Get(id)
	if errors.Is(err, store.ErrNotFound) {
		err = corrupt("entry of group", id)
	}
	return x, err
}

func (g groups) Set(x store.Group) error {
	old, err := g.Get(x.ID)
	if err != nil {
		return err
	}
	if old.Version != x.Version {
		return fmt.Errorf("group %s: %w", x.ID, store.ErrConflict)
	}
	x.Version++
	return g.write(&old, x)
}

func (g groups) List(c store.Cursor, n int) ([]store.Group, store.Cursor, error) {
	l, err := g.t.from(groupNameB, nil, c)
	if err != nil {
		return nil, "", err
	}
	return page(g.t, l, n, func(_, v []byte) (store.Group, error) { return g.listed(v) })
}

func (g groups) Put(p store.GroupPerson) error {
	if !g.t.has(groupsB, p.Group[:]) {
		return fmt.Errorf("group %s: %w", p.Group, store.ErrNotFound)
	}
	if err := checkText("address", p.Address.Key()); err != nil {
		return fmt.Errorf("group %s: %w", p.Group, err)
	}
	cut(&p.Added, &p.Done)
	value, err := encode("person of a group", p)
	if err != nil {
		return err
	}
	key := personKey(p.Group, p.Address.Key())
	var was []entry
	from := ""
	old, err := g.person(key)
	switch {
	case err == nil:
		was, from = personEntries(old), personCounter(old)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if err := errors.Join(g.t.move(was, personEntries(p)), g.t.shift(from, personCounter(p))); err != nil {
		return err
	}
	return g.t.put(groupPersonB, key, value)
}

func personKey(id store.GroupID, k store.AddressKey) []byte { return join(id[:], []byte(k)) }

// personEntries are the index entries of a person: whose invitation is still to be sent.
func personEntries(p store.GroupPerson) []entry {
	if p.Outcome != "" {
		return nil
	}
	return []entry{{in: groupWaitB, key: personKey(p.Group, p.Address.Key())}}
}

// personCounter names the counter that a person of a group is in.
func personCounter(p store.GroupPerson) string {
	switch {
	case p.Outcome == "":
		return groupCount(p.Group, "waiting")
	case p.Unsent:
		return groupCount(p.Group, "unsent")
	}
	return groupCount(p.Group, "sent")
}

func groupCount(id store.GroupID, what string) string { return "group/" + id.String() + "/" + what }

func (g groups) Person(id store.GroupID, k store.AddressKey) (store.GroupPerson, error) {
	return g.person(personKey(id, k))
}

func (g groups) person(key []byte) (p store.GroupPerson, err error) {
	id := toID[store.GroupID](key[:idLen])
	value := g.t.get(groupPersonB, key)
	if value == nil {
		return p, fmt.Errorf("person of group %s: %w", id, store.ErrNotFound)
	}
	if !decode(value, &p) {
		return store.GroupPerson{}, corrupt("person of group", id)
	}
	p.Group = id
	return p, nil
}

func (g groups) People(id store.GroupID, c store.Cursor, n int) ([]store.GroupPerson, store.Cursor, error) {
	l, err := g.t.from(groupPersonB, id[:], c)
	if err != nil {
		return nil, "", err
	}
	return page(g.t, l, n, func(k, _ []byte) (store.GroupPerson, error) { return g.person(k) })
}

func (g groups) Waiting(id store.GroupID, n int) (rows []store.GroupPerson, err error) {
	for k := range g.t.up(groupWaitB, id[:], nil) {
		if len(rows) >= n {
			break
		}
		p, err := g.person(k)
		if err != nil {
			g.t.report(err)
			continue
		}
		rows = append(rows, p)
	}
	return rows, nil
}

func (g groups) Count(id store.GroupID) (store.GroupCount, error) {
	count := func(what string) int64 { return g.t.count(groupCount(id, what)) }
	return store.GroupCount{Waiting: count("waiting"), Sent: count("sent"), Unsent: count("unsent")}, nil
}
