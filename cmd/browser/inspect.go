package browser

import "testing"

// spaced is what readers set who need room between lines, words and letters (WCAG 2.2, 1.4.12).
const spaced = `const s = new CSSStyleSheet();
	s.replaceSync("* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-block-end: 2em !important }");
	document.adoptedStyleSheets = [s]`

// large is text of double size (1.4.4).
const large = `const l = new CSSStyleSheet();
	l.replaceSync(":root { font-size: 200% !important }");
	document.adoptedStyleSheets = [l]`

// Inspect looks at the page that the tab shows as different people see it: on a wide screen, on a phone, in the dark, with
// the few colours of a system's high contrast, at a zoom of 200 % and at 320 px (1.4.10). Axe must find nothing, and
// nothing may be wider than its screen. What depends on colours is checked where the colours differ, all else where the
// layout does. authored: the document is a mail's own, whose author answers for its tables.
func (tab *Tab) Inspect(t testing.TB, name string, authored bool) {
	t.Helper()
	tab.look(t, name, []look{
		{"-1280", Desk, axeAll}, {"-dark", Night, axeColours}, {"-forced", Forced, axeColours},
		{"-375", Phone, axeLayout}, {"-zoom", Zoomed, axeLayout}, {"-320", Narrow, axeLayout},
	})
	if !authored {
		tab.Eval(spaced)
		tab.fits(t, name+" with widely spaced text at 320 px")
		tab.View(Desk)
		tab.Eval(large)
		tab.fits(t, name+" with text of double size")
		tab.Eval("document.adoptedStyleSheets = []")
	}
	tab.View(Desk)
}

// InspectText looks at a page in another language, whose colours are those that Inspect has seen: on a wide screen and at
// 320 px.
func (tab *Tab) InspectText(t testing.TB, name string) {
	t.Helper()
	tab.look(t, name, []look{{"-1280", Desk, axeLayout}, {"-320", Narrow, axeLayout}})
}

// look is one way to see a page.
type look struct {
	suffix string
	screen Viewport
	check  axeRules
}

func (tab *Tab) look(t testing.TB, name string, looks []look) {
	t.Helper()
	for _, l := range looks {
		tab.View(l.screen)
		tab.Screenshot(name + l.suffix)
		tab.axe(t, l.check)
		tab.fits(t, name+l.suffix)
	}
}

// fits fails the test if the page is wider than its screen.
func (tab *Tab) fits(t testing.TB, what string) {
	t.Helper()
	if wide := Eval[int](tab, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
		t.Errorf("%s is %d px wider than its screen", what, wide)
	}
}
