package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/leonelquinteros/gotext/plurals"
)

// merge brings a translation up to date with the texts of the program: what is new comes in empty, what nobody says any
// more goes.
func (f file) merge(texts []text) file {
	have := map[string]entry{}
	for _, e := range f.entries {
		have[e.key()] = e
	}
	merged := file{comments: f.comments, header: f.header}
	forms, _ := f.pluralForms()
	for _, t := range texts {
		e := entry{text: t}
		if old, ok := have[t.key()]; ok && old.Plural == t.Plural {
			e.comments, e.strs = old.comments, old.strs
		}
		if t.Plural != "" && len(e.strs) == 0 {
			e.strs = make([]string, forms.count)
		}
		merged.entries = append(merged.entries, e)
	}
	return merged
}

// forms are a language's plural forms: how many, and which numbers take each.
type forms struct {
	count int
	takes [][]int // numbers up to 200
}

var pluralField = regexp.MustCompile(`(?m)^Plural-Forms: nplurals=(\d+); plural=(.+);$`)

func (f file) pluralForms() (forms, error) {
	m := pluralField.FindStringSubmatch(f.header)
	if m == nil {
		return forms{}, errors.New("the header has no Plural-Forms")
	}
	count, err := strconv.Atoi(m[1])
	if err != nil {
		return forms{}, err
	}
	rule, err := plurals.Compile(m[2])
	if err != nil {
		return forms{}, fmt.Errorf("plural rule: %w", err)
	}
	p := forms{count: count, takes: make([][]int, count)}
	const most = 200
	for n := range most {
		i := rule.Eval(uint32(n))
		if i < 0 || i >= count {
			return p, fmt.Errorf("the plural rule gives form %d for %d", i, n)
		}
		p.takes[i] = append(p.takes[i], n)
	}
	return p, nil
}

// many reports whether a form stands for several numbers, so that its text must say which one. None is not counted:
// texts about no thing at all are texts of their own.
func (p forms) many(i int) bool {
	var numbers []int
	for _, n := range p.takes[i] {
		if n != 0 {
			numbers = append(numbers, n)
		}
	}
	return len(numbers) > 1
}

// gaps are the texts that still need a translation.
func (f file) gaps(texts []text) (list []string) {
	have := map[string]entry{}
	for _, e := range f.entries {
		have[e.key()] = e
	}
	for _, t := range texts {
		if e, ok := have[t.key()]; !ok || !e.translated() || e.fuzzy || e.Plural != t.Plural {
			list = append(list, t.ID)
		}
	}
	return list
}

// check finds what is wrong with translations that are there.
func (f file) check() (problems []string) {
	p, err := f.pluralForms()
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range f.entries {
		if !e.translated() {
			continue
		}
		for _, fault := range e.check(p) {
			problems = append(problems, fmt.Sprintf("%q: %s", e.ID, fault))
		}
	}
	return problems
}

func (e entry) check(p forms) (faults []string) {
	switch {
	case e.Plural == "" && len(e.strs) != 1:
		faults = append(faults, "has more than one translation")
	case e.Plural != "" && len(e.strs) != p.count:
		return append(faults, fmt.Sprintf("has %d plural forms, not %d", len(e.strs), p.count))
	}
	if e.strs[0] == e.ID && strings.ContainsFunc(withoutVerbs(e.ID), unicode.IsLetter) && !slices.Contains(e.comments, same) {
		faults = append(faults, fmt.Sprintf("is not translated; if it is the same word, say %q in a comment", same))
	}
	for i, s := range e.strs {
		faults = append(faults, e.checkVerbs(s, e.Plural != "" && !p.many(i))...)
		if got, want := marks(s), marks(e.ID); !slices.Equal(got, want) {
			faults = append(faults, fmt.Sprintf("%q has the marks %v, not %v", s, got, want))
		}
		if edges(s) != edges(e.ID) {
			faults = append(faults, fmt.Sprintf("%q begins or ends with other blanks", s))
		}
	}
	return faults
}

// checkVerbs compares what is filled in. A plural form of one number need not say the number.
func (e entry) checkVerbs(s string, countMayGo bool) (faults []string) {
	got, want := verbs(s), verbs(e.ID)
	if e.Plural != "" {
		want = verbs(e.Plural)
	}
	for v := range got {
		if !want[v] && !(e.Plural != "" && v == "1d") {
			faults = append(faults, fmt.Sprintf("%q has %%%s, which is not filled in", s, v))
		}
	}
	for v := range want {
		if !got[v] && !(countMayGo && v == "1d") {
			faults = append(faults, fmt.Sprintf("%q lacks %%%s", s, v))
		}
	}
	return faults
}

var verb = regexp.MustCompile(`%([0-9]*)(?:\[(\d+)\])?([a-zA-Z%])`)

// verbs are the fmt verbs of a text, each as number and letter: "%s of %[3]d" has 1s and 3d.
func verbs(s string) map[string]bool {
	set, next := map[string]bool{}, 1
	for _, m := range verb.FindAllStringSubmatch(s, -1) {
		if m[3] == "%" {
			continue
		}
		if n, err := strconv.Atoi(m[2]); err == nil {
			next = n
		}
		set[strconv.Itoa(next)+m[3]] = true
		next++
	}
	return set
}

func withoutVerbs(s string) string { return verb.ReplaceAllString(s, "") }

var mark = regexp.MustCompile(`\{\w+\}|<[^>]*>|\n`)

// marks are what the script of a page fills in, tags and line breaks, in any order.
func marks(s string) []string {
	list := mark.FindAllString(s, -1)
	slices.Sort(list)
	return list
}

// edges are the blanks around a text.
func edges(s string) string {
	inner := strings.TrimSpace(s)
	return strings.Replace(s, inner, "|", 1)
}
