package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	protocol "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Keys that have no letter.
const (
	KeyTab       = kb.Tab
	KeyEnter     = kb.Enter
	KeySpace     = " "
	KeyBackspace = kb.Backspace
	KeyUp        = kb.ArrowUp
	KeyDown      = kb.ArrowDown
)

// Keys presses keys one after the other, wherever the focus is. This and what is built on it is all that a person has
// who uses no mouse.
func (tab *Tab) Keys(keys string) {
	tab.t.Helper()
	tab.do("press keys", press(keys))
}

// press is chromedp.KeyEvent with keys that go down as real ones do: what a page does on a raw key keeps the character
// that follows from whatever has the focus then.
func press(keys string, opts ...chromedp.KeyOption) chromedp.Action[chromedp.Void] {
	return chromedp.KeyEvent(keys, append(opts, func(p *input.DispatchKeyEventParams) {
		if p.Type == input.DispatchKeyEventTypeKeyDown {
			p.Type = input.DispatchKeyEventTypeRawKeyDown
		}
	})...)
}

// maxStops is how many stops of the Tab key a page may have before something is not found.
const maxStops = 120

// TabTo presses Tab until the focus is on what matches a selector. Each stop on the way must show that it has the
// focus.
func (tab *Tab) TabTo(css string) {
	tab.t.Helper()
	tab.walk(css, press(KeyTab))
}

// TabBackTo presses Shift and Tab likewise.
func (tab *Tab) TabBackTo(css string) {
	tab.t.Helper()
	tab.walk(css, press(KeyTab, chromedp.KeyModifiers(chromedp.ModifierShift)))
}

// stop is a place that has the focus.
type stop struct {
	What    string `json:"what"`
	Matches bool   `json:"matches"`
	Marked  bool   `json:"marked"` // one sees that it has the focus
	Inside  bool   `json:"inside"` // it is on the screen
}

// stopNow describes the focus. What is not drawn by this page, such as the browser's own parts, counts as marked.
const stopNow = `((css) => {
  const e = document.activeElement;
  if (!e || e === document.body) return {what: "the page", matches: false, marked: true, inside: true};
  const s = getComputedStyle(e), r = e.getBoundingClientRect();
  const frame = e.tagName === "IFRAME"; // what is inside draws the mark
  return {
    what: e.outerHTML.slice(0, 160), matches: e.matches(css),
    marked: frame || [s, getComputedStyle(e, "::after")].some((s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2),
    inside: r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth && r.width > 0,
  };
})`

func (tab *Tab) walk(css string, key chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	var seen []string
	for range maxStops {
		tab.do("press Tab", key)
		s := tab.settle(css)
		if !s.Marked || !s.Inside {
			tab.t.Errorf("on %s the focus does not show on %s (marked: %t, on the screen: %t)", tab.Path(), s.What, s.Marked, s.Inside)
		}
		if s.Matches {
			return
		}
		seen = append(seen, s.What)
	}
	tab.t.Fatalf("on %s the Tab key does not lead to %s, but to\n%s", tab.Path(), css, strings.Join(seen, "\n"))
}

// settle describes the focus once the page has scrolled to it, which takes a moment.
func (tab *Tab) settle(css string) (s stop) {
	tab.t.Helper()
	for range 100 {
		if s = Eval[stop](tab, stopNow+"("+quote(css)+")"); s.Inside && s.Marked {
			break
		}
		time.Sleep(pause)
	}
	return s
}

// quote is a text as a JavaScript string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// Focused reports whether what matches has the focus.
func (tab *Tab) Focused(css string) bool {
	tab.t.Helper()
	return Eval[stop](tab, stopNow+"("+quote(css)+")").Matches
}

// AwaitFocus waits until what matches has the focus, where keys have sent it there.
func (tab *Tab) AwaitFocus(css string) {
	tab.t.Helper()
	for range 100 {
		if tab.Focused(css) {
			return
		}
		time.Sleep(pause)
	}
	tab.t.Fatalf("on %s the focus does not come to %s; it is on %s", tab.Path(), css, Eval[stop](tab, stopNow+`("*")`).What)
}

// KeysTo presses keys that lead to another page, and waits until it is there.
func (tab *Tab) KeysTo(keys string) {
	tab.t.Helper()
	tab.Travel("press keys on "+tab.Path(), func() { tab.Keys(keys) })
}

// ChooseFiles opens the dialog of the file field that has the focus, by the Space key, and chooses files in it.
func (tab *Tab) ChooseFiles(paths ...string) {
	tab.t.Helper()
	on := true
	tab.command("wait for the dialog", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, page.SetInterceptFileChooserDialog, page.SetInterceptFileChooserDialogParams{Enabled: on})
		return err
	})
	opened := get(tab, "open the dialog", chromedp.WaitEvent(page.FileChooserOpened, nil, press(KeySpace)))
	tab.command("choose files", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: paths, BackendNodeID: opened.BackendNodeID})
		return err
	})
}

// KeysDownload presses keys that save a file, and returns what the browser saved.
func (tab *Tab) KeysDownload(dir, keys string) []byte {
	tab.t.Helper()
	events := true
	tab.command("allow downloads", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, protocol.SetDownloadBehavior, protocol.SetDownloadBehaviorParams{
			Behavior: protocol.SetDownloadBehaviorBehaviorAllowAndName, BrowserContextID: browserContext(tab.ctx), DownloadPath: dir, EventsEnabled: &events})
		return err
	})
	saved := get(tab, "save a file", chromedp.WaitEvent(protocol.DownloadProgress, func(e protocol.EventDownloadProgress) bool {
		return e.State != protocol.DownloadProgressStateInProgress
	}, press(keys)))
	if saved.State != protocol.DownloadProgressStateCompleted {
		tab.t.Fatalf("the file was not saved: %s", saved.State)
	}
	data, err := os.ReadFile(filepath.Join(dir, saved.GUID))
	if err != nil {
		tab.t.Fatal(err)
	}
	return data
}

func browserContext(ctx context.Context) cdp.BrowserContextID {
	return chromedp.FromContext(ctx).BrowserContextID
}
