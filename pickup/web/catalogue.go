package web

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/leonelquinteros/gotext"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

//go:embed locale
var locale embed.FS

// English is the language of the msgids. It is always there and needs no file.
const English = "en"

// Language is one that people may choose.
type Language struct {
	Tag  string // BCP 47
	Name string // in the language itself
	Dir  string // "ltr" or "rtl"
}

// Catalogue translates. The msgid is the English text; a text without translation stays English. Safe for concurrent
// use.
type Catalogue struct {
	files    map[string]translation
	tags     []language.Tag // English first; matcher's order
	matcher  language.Matcher
	fallback string // of visitors whose languages are not there
}

// translation is one PO file. Texts without a count are looked up in maps, because Po.Get formats what it finds.
type translation struct {
	po      *gotext.Po
	texts   map[string]*gotext.Translation
	context map[string]map[string]*gotext.Translation // by msgctxt
}

// NewCatalogue reads every TAG.po of the folder, where TAG is the language in BCP 47. A file of no language, or one
// that holds no header, is an error: a translation that is silently absent would not be noticed.
func NewCatalogue(folder fs.FS) (*Catalogue, error) {
	c := &Catalogue{files: map[string]translation{}, tags: []language.Tag{language.English}, fallback: English}
	names, err := fs.Glob(folder, "*.po")
	if err != nil {
		return nil, fmt.Errorf("list translations: %w", err)
	}
	for _, name := range names {
		if err := c.read(folder, name); err != nil {
			return nil, fmt.Errorf("translation %s: %w", name, err)
		}
	}
	c.matcher = language.NewMatcher(c.tags)
	return c, nil
}

// Falling is the catalogue with another language for visitors whose languages are not there: the organisation's
// (pickup.language).
func (c *Catalogue) Falling(tag string) (*Catalogue, error) {
	if !c.Has(tag) {
		return nil, fmt.Errorf("no translation into %q", tag)
	}
	other := *c
	other.fallback = tag
	return &other, nil
}

// Fallback is the language of visitors whose languages are not there.
func (c *Catalogue) Fallback() string { return c.fallback }

// OnlyEnglish is the catalogue of a site that is not translated.
func OnlyEnglish() *Catalogue {
	tags := []language.Tag{language.English}
	return &Catalogue{files: map[string]translation{}, tags: tags, fallback: English, matcher: language.NewMatcher(tags)}
}

// Builtin is the catalogue of the translations that are part of the program.
func Builtin() (*Catalogue, error) {
	folder, err := fs.Sub(locale, "locale")
	if err != nil {
		return nil, fmt.Errorf("translations: %w", err)
	}
	return NewCatalogue(folder)
}

func (c *Catalogue) read(folder fs.FS, name string) error {
	tag, err := language.Parse(strings.TrimSuffix(path.Base(name), ".po"))
	if err != nil {
		return fmt.Errorf("name is no language tag: %w", err)
	}
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return err
	}
	po := gotext.NewPo()
	po.Parse(text)
	if po.Headers.Get("Content-Type") == "" {
		return errors.New("no header with a Content-Type")
	}
	c.files[tag.String()] = translation{po, po.GetDomain().GetTranslations(), po.GetDomain().GetCtxTranslations()}
	if tag != language.English {
		c.tags = append(c.tags, tag)
	}
	return nil
}

// Text is the text of an English msgid in a language, with args put into its fmt verbs. Without args the text is
// returned as it is, percent signs included.
func (c *Catalogue) Text(lang, id string, args ...any) string {
	return format(c.lookup(lang, id), args)
}

// Plural is Text for a count: one when n is one, else many, or what the language's plural rule says. The count is the
// first argument of both texts, which need not use it.
func (c *Catalogue) Plural(lang, one, many string, n int, args ...any) string {
	return format(c.plural(lang, one, many, n), append([]any{n}, args...))
}

func format(text string, args []any) string {
	if len(args) == 0 || !strings.Contains(text, "%") {
		return text
	}
	return fmt.Sprintf(text, args...)
}

func (c *Catalogue) lookup(lang, id string) string {
	if text, ok := c.files[lang].texts[id]; ok && id != "" {
		return text.Get()
	}
	return id
}

// lookupIn is lookup for a text that other languages say differently by where it stands.
func (c *Catalogue) lookupIn(lang, context, id string) string {
	if text, ok := c.files[lang].context[context][id]; ok {
		return text.Get()
	}
	return id
}

func (c *Catalogue) plural(lang, one, many string, n int) string {
	if po := c.files[lang].po; po != nil {
		return po.GetN(one, many, n)
	}
	if n == 1 {
		return one
	}
	return many
}

// Languages lists what there is to choose from, English first, then by tag.
func (c *Catalogue) Languages() []Language {
	list := make([]Language, 0, len(c.tags))
	for _, tag := range c.tags {
		list = append(list, describe(tag))
	}
	slices.SortFunc(list[1:], func(a, b Language) int { return strings.Compare(a.Tag, b.Tag) })
	return list
}

func describe(tag language.Tag) Language {
	l := Language{Tag: tag.String(), Name: display.Self.Name(tag), Dir: "ltr"}
	if l.Name == "" {
		l.Name = l.Tag
	}
	first, size := utf8.DecodeRuneInString(l.Name) // in a list of choices, names begin with a capital everywhere
	l.Name = string(unicode.ToTitle(first)) + l.Name[size:]
	script, _ := tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm":
		l.Dir = "rtl"
	}
	return l
}

// Language describes a language that Match returned.
func (c *Catalogue) Language(tag string) Language { return describe(language.Make(tag)) }

// Has reports whether a language can be chosen.
func (c *Catalogue) Has(tag string) bool {
	return slices.ContainsFunc(c.tags, func(t language.Tag) bool { return t.String() == tag })
}

// Match picks the language for a visitor: the one chosen before, if there is one, else the best of an Accept-Language
// field (RFC 9110 §12.5.4), else the fallback, which is English unless Falling said otherwise.
func (c *Catalogue) Match(chosen, accept string) string {
	if c.Has(chosen) {
		return chosen
	}
	const longest = 500 // octets of the field that are looked at
	wanted, _, err := language.ParseAcceptLanguage(accept[:min(len(accept), longest)])
	if err != nil {
		return c.fallback
	}
	_, index, sure := c.matcher.Match(wanted...)
	if sure == language.No {
		return c.fallback
	}
	return c.tags[index].String()
}
