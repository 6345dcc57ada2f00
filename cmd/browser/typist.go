package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Typist is a window of somebody who has a keyboard and no mouse.
type Typist struct {
	*Tab
	plain bool
}

// Scripts says whether a window runs the scripts of its pages.
type Scripts bool

// The two kinds of window.
const (
	WithScripts    Scripts = true
	WithoutScripts Scripts = false
)

// Typist opens a window that is used by keyboard alone; it closes with the test.
func (b *Browser) Typist(t testing.TB, s Scripts) *Typist {
	t.Helper()
	k := &Typist{b.Tab(t), !bool(s)}
	if k.plain {
		k.NoScript()
	}
	return k
}

// Type goes to a field, unless it has the focus already, and puts a text in the place of what it holds.
func (k *Typist) Type(css, text string) {
	k.t.Helper()
	if !k.Focused(css) {
		k.TabTo(css)
	}
	k.do("select all", press("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	if text == "" {
		k.Keys(KeyBackspace)
	} else {
		k.Keys(text)
	}
	if got := Eval[string](k.Tab, "document.activeElement.value"); got != text {
		k.t.Fatalf("on %s the field %s holds %q after typing %q", k.Path(), css, got, text)
	}
}

// Submit presses Enter in the field that has the focus, and waits for the page that answers the form.
func (k *Typist) Submit() {
	k.t.Helper()
	k.KeysTo(KeyEnter)
}

// Follow goes to a link or button, presses it, and waits for the page behind it.
func (k *Typist) Follow(css string) {
	k.t.Helper()
	k.TabTo(css)
	k.KeysTo(KeyEnter)
}

// Says fails unless the page says every text.
func (k *Typist) Says(texts ...string) {
	k.t.Helper()
	page := Eval[string](k.Tab, "document.body.innerText")
	for _, text := range texts {
		if !strings.Contains(page, text) {
			k.t.Fatalf("%s lacks %q:\n%s", k.Path(), text, page)
		}
	}
}

// Corrects is on the answer to a form with mistakes. The title says so. Its summary has the focus; without scripts it is
// what comes first behind the link that skips the head of the page. From there a link leads into the field.
func (k *Typist) Corrects(field string) {
	k.t.Helper()
	if title := Eval[string](k.Tab, "document.title"); !strings.HasPrefix(title, "Error: ") {
		k.t.Errorf("the title of %s with mistakes is %q", k.Path(), title)
	}
	if k.plain {
		k.TabTo("a.skip")
		k.Keys(KeyEnter)
		k.AwaitFocus("#main")
		k.Keys(KeyTab)
	} else {
		k.AwaitFocus(".summary")
		k.Keys(KeyTab)
	}
	k.AwaitFocus(".summary a")
	if link := `.summary a[href="` + field + `"]`; !k.Focused(link) {
		k.TabTo(link)
	}
	k.Keys(KeyEnter)
	k.AwaitFocus(field)
}
