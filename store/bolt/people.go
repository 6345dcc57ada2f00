package bolt

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"postern/store"
)

// group names a list of accounts with a status and class; empty ones select all.
func group(s store.Status, c store.Class) string { return string(c) + "/" + string(s) }

// groupsOf are the lists that an account is in, one for each filter that it matches.
func groupsOf(a store.Account) []string {
	return []string{group("", ""), group(a.Status, ""), group("", a.Class()), group(a.Status, a.Class())}
}

func groupCounter(group string) string { return "account/" + group }

// regroup moves an account's share in the counters.
func (a accounts) regroup(from, to []string) error {
	for _, g := range from {
		if !slices.Contains(to, g) {
			if err := a.t.add(groupCounter(g), -1); err != nil {
				return err
			}
		}
	}
	for _, g := range to {
		if !slices.Contains(from, g) {
			if err := a.t.add(groupCounter(g), 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// listEntries are the index entries that lists walk.
func listEntries(a store.Account) (out []entry) {
	address, words := text(a.Address.Key()), wordsOf(a)
	if a.Status == store.StatusMerged { // another account may have the address now, or several merged ones had it
		address = join(address, a.ID[:])
	}
	for _, g := range groupsOf(a) {
		out = append(out, entry{in: peopleB, key: join(text(g), address), val: a.ID[:]},
			entry{in: recentB, key: join(text(g), invert(msKey(a.LastSignIn)), a.ID[:])})
		for _, w := range words {
			out = append(out, entry{in: wordB, key: join(text(g), text(w), address), val: a.ID[:]})
		}
	}
	return out
}

// maxWord bounds a word of the index: keys have an end.
const maxWord = 64

// wordsOf are the words by which an account is found beside its address, each once: those of its name, and its domain.
func wordsOf(a store.Account) []string {
	words := searchWords(a.Name)
	if _, domain, ok := strings.Cut(string(a.Address.Key()), "@"); ok {
		words = append(words, cutWord(domain))
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// searchWords are the words of a text in the form in which they are compared.
func searchWords(s string) (words []string) {
	folded := strings.ToLower(norm.NFC.String(s))
	for _, w := range strings.FieldsFunc(folded, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;<>\"()@\x00", r) }) {
		words = append(words, cutWord(w))
	}
	return words
}

// cutWord ends a word that is too long, at a whole character.
func cutWord(w string) string {
	if len(w) > maxWord {
		w = strings.ToValidUTF8(w[:maxWord], "")
	}
	return w
}

func (a accounts) Count(s store.Status, c store.Class) (int64, error) {
	return a.t.count(groupCounter(group(s, c))), nil
}

func (a accounts) List(f store.AccountFilter, c store.Cursor, n int) ([]store.Account, store.Cursor, error) {
	g := text(group(f.Status, f.Class))
	search := strings.ToLower(norm.NFC.String(strings.TrimSpace(f.Search)))
	switch {
	case search != "":
		return a.search(g, search, c, n)
	case f.Recent:
		l, err := a.t.from(recentB, g, c)
		if err != nil {
			return nil, "", err
		}
		return page(a.t, l, n, func(k, _ []byte) (store.Account, error) { return a.listed(tail(k, idLen)) })
	}
	l, err := a.t.from(peopleB, g, c)
	if err != nil {
		return nil, "", err
	}
	return page(a.t, l, n, func(_, v []byte) (store.Account, error) { return a.listed(v) })
}

// The phases of a search, as they lead its cursor.
const (
	phaseAddress = 'a'
	phaseWord    = 'w'
)

// search goes through those whose address begins with what is searched, then through those of whom a word does. Of
// several words the one that fewest have is looked up, and the others are compared.
func (a accounts) search(g []byte, search string, c store.Cursor, n int) ([]store.Account, store.Cursor, error) {
	pos, err := follow(c)
	if err != nil {
		return nil, "", err
	}
	s := &finder{accounts: a, group: g, address: search, words: searchWords(search), most: n}
	s.lead = s.rarest()
	if len(pos) == 0 || pos[0] == phaseAddress {
		done, err := s.walk(phaseAddress, peopleB, join(g, []byte(search)), len(g), pos)
		if err != nil || !done {
			return s.rows, s.cursor(), err
		}
		pos = nil
	}
	if s.lead == "" {
		return s.rows, "", nil
	}
	done, err := s.walk(phaseWord, wordB, join(g, []byte(s.lead)), len(g), pos)
	if err != nil || done {
		return s.rows, "", err
	}
	return s.rows, s.cursor(), nil
}

// rarest is the word with which fewest entries begin, as far as a short look tells; "" when one has none.
func (s *finder) rarest() (lead string) {
	const look = 500
	fewest := look + 1
	for _, w := range s.words {
		n := 0
		for range s.t.up(wordB, join(s.group, []byte(w)), nil) {
			if n++; n == look {
				break
			}
		}
		if n == 0 {
			return ""
		}
		if n < fewest || n == fewest && len(w) > len(lead) {
			lead, fewest = w, n
		}
	}
	return lead
}

// finder is a search under way.
type finder struct {
	accounts
	group   []byte
	address string
	words   []string
	lead    string
	most    int
	rows    []store.Account
	last    []byte // phase and position of the entry looked at last
	steps   int
}

// peopleSteps is how many steps of a search through keys a step costs that reads an account.
const peopleSteps = 40

func (s *finder) cursor() store.Cursor { return cursorAt(s.last) }

// walk goes through an index from a position on; false: the page is full, or took long enough.
func (s *finder) walk(phase byte, in bucket, prefix []byte, shared int, pos []byte) (done bool, err error) {
	var from []byte
	if len(pos) > 0 {
		if rest := join(s.group, pos[1:]); bytes.HasPrefix(rest, prefix) {
			from = rest[len(prefix):]
		}
	}
	for k, v := range s.t.up(in, prefix, from) {
		if s.steps++; len(s.rows) >= s.most || s.steps > s.t.store.steps/peopleSteps {
			return false, nil
		}
		s.last = append([]byte{phase}, k[shared:]...)
		acc, err := s.listed(v)
		if errors.Is(err, store.ErrCorrupt) {
			s.t.report(err)
			continue
		}
		if err != nil {
			return false, err
		}
		if phase == phaseAddress || s.found(acc, string(k[shared:])) {
			s.rows = append(s.rows, acc)
		}
	}
	return true, nil
}

// found reports whether an account that has the word of an entry is to be shown there: it has all words, was not found
// by its address, and this is the first of its words that fits.
func (s *finder) found(a store.Account, key string) bool {
	if strings.HasPrefix(string(a.Address.Key()), s.address) {
		return false
	}
	word, _, _ := strings.Cut(key, "\x00")
	all := wordsOf(a)
	for _, w := range s.words {
		if !slices.ContainsFunc(all, func(x string) bool { return strings.HasPrefix(x, w) }) {
			return false
		}
	}
	first := slices.IndexFunc(all, func(x string) bool { return strings.HasPrefix(x, s.lead) })
	return first >= 0 && all[first] == word
}
