// Package browser lets tests look at pages as people do: in Chromium, by chromedp. Common is one headless browser with a
// fresh profile for all tests of a package; each Tab has cookies of its own. A tab fills in forms, presses buttons, takes
// pictures and runs axe-core. Where the browser or axe-core is missing, package testneed skips the test or, in CI, fails it. It is no
// internal package, because tests outside of cmd use it too.
package browser

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience bounds one step in the browser. It is only reached when something is broken.
const patience = 30 * time.Second

// pause is how often the browser is asked whether a page is there.
const pause = 20 * time.Millisecond

// Browser is a running Chromium.
type Browser struct{ ctx context.Context }

// launch runs Chromium with a profile in a folder until stop is called.
func launch(program, profile string) (b *Browser, stop func(), err error) {
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(program), chromedp.Headless,
		chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-extensions", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("password-store", "basic"),
		// What no test uses, and each window pays for: processes kept ready for other windows, and pages of the address bar.
		chromedp.Flag("disable-features", "SpareRendererForSitePerProcess,PreloadTopChromeWebUI,"+
			"WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,AimEnabled"))
	ctx, stopBrowser := chromedp.NewContext(alloc)
	stop = func() {
		stopBrowser()
		stopAlloc()
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	return &Browser{ctx}, stop, nil
}

// Tab is one window with cookies of its own.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	view Viewport
	left int // pages that were left, each marked with its number
}

// Tab opens a window that shares nothing with others; it closes with the test.
func (b *Browser) Tab(t testing.TB) *Tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	tab := &Tab{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open tab: %v", err)
	}
	// Tests use several windows at the same time, and only one can be in front of the others.
	tab.command("bring to the front", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	})
	tab.View(Desk)
	return tab
}

// do runs steps within patience.
func (tab *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tab.t.Fatalf("%s: %v", what, err)
	}
}

// get runs a step with a value within patience.
func get[T any](tab *Tab, what string, a chromedp.Action[T]) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		tab.t.Fatalf("%s: %v", what, err)
	}
	return v
}

// command sends one command of the protocol.
func (tab *Tab) command(what string, send func(context.Context) error) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := send(ctx); err != nil {
		tab.t.Fatalf("%s: %v", what, err)
	}
}

// Go loads a page and waits until it and its frames are there.
func (tab *Tab) Go(url string) {
	tab.t.Helper()
	tab.do("go to "+url, chromedp.Navigate(url))
}

// Fill types a text into a field.
func (tab *Tab) Fill(css, text string) {
	tab.t.Helper()
	Eval[bool](tab, "document.querySelector("+strconv.Quote(css)+").value = '', true")
	tab.do("fill "+css, chromedp.SendKeys(chromedp.CSS(css), text))
}

// Files chooses files in a file field.
func (tab *Tab) Files(css string, paths ...string) {
	tab.t.Helper()
	tab.do("choose files "+css, chromedp.SetUploadFiles(chromedp.CSS(css), paths))
}

// place scrolls to an element, if it is there, and says where it stands then.
const place = `(e => {
  if (!e) return "";
  e.scrollIntoView({block: "center", behavior: "instant"});
  const r = e.getBoundingClientRect();
  return [r.x, r.y, r.width, r.height].join();
})(document.querySelector(CSS))`

// awaitStill waits until an element stands still: a click meets what is at its place by then.
func (tab *Tab) awaitStill(css string) {
	tab.t.Helper()
	look := strings.Replace(place, "CSS", strconv.Quote(css), 1)
	for at, now := "?", ""; at != now; time.Sleep(pause) {
		at = now
		now = Eval[string](tab, look)
	}
}

// Click presses something that leads to no other page.
func (tab *Tab) Click(css string) {
	tab.t.Helper()
	tab.awaitStill(css)
	tab.do("click "+css, chromedp.Click(chromedp.CSS(css)))
}

// Press presses a button or link and waits until the page that it leads to is there.
func (tab *Tab) Press(css string) {
	tab.t.Helper()
	tab.Travel("press "+css, func() { tab.Click(css) })
}

// Travel does what leads to another page and waits until that is there. The old page is marked: with a sandboxed frame
// in the new one, its load event does not reach us reliably. Each mark is another: a page that one comes back to may be as
// it was left.
func (tab *Tab) Travel(what string, act func()) {
	tab.t.Helper()
	tab.left++
	mark := strconv.Quote(strconv.Itoa(tab.left))
	Eval[bool](tab, "document.documentElement.dataset.old = "+mark+", true")
	act()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	there := chromedp.Evaluate[bool]("document.readyState === 'complete' && document.documentElement.dataset.old !== " + mark)
	for again := time.NewTicker(pause); ; {
		if done, err := chromedp.Run(ctx, there); err == nil && done { // an error: between two pages
			again.Stop()
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			tab.t.Fatalf("%s: no new page came", what)
		}
	}
}

// Text is what a reader sees of an element.
func (tab *Tab) Text(css string) string {
	tab.t.Helper()
	return get(tab, "text of "+css, chromedp.Text(chromedp.CSS(css)))
}

// Path is path and query of the page.
func (tab *Tab) Path() string {
	tab.t.Helper()
	return Eval[string](tab, "location.pathname + location.search")
}

// Eval evaluates an expression in the page; a promise is awaited.
func Eval[T any](tab *Tab, js string) T {
	tab.t.Helper()
	return get(tab, "evaluate", chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
}

// Eval runs statements in the page.
func (tab *Tab) Eval(js string) {
	tab.t.Helper()
	Eval[bool](tab, "(() => { "+js+"; return true })()")
}

// Viewport is a screen.
type Viewport struct {
	Width, Height int64
	Dark          bool
	Forced        bool // the system's few colours of high contrast
}

// The screens on which pages are looked at.
var (
	Desk   = Viewport{Width: 1280, Height: 900}
	Phone  = Viewport{Width: 375, Height: 800}
	Night  = Viewport{Width: 1280, Height: 900, Dark: true}
	Forced = Viewport{Width: 1280, Height: 900, Forced: true}
	Zoomed = Viewport{Width: 640, Height: 450} // a Desk at 200 %
	Narrow = Viewport{Width: 320, Height: 600} // the narrowest that pages are made for (WCAG 2.2, 1.4.10)
)

// View changes the screen.
func (tab *Tab) View(v Viewport) {
	tab.t.Helper()
	scheme, forced := "light", "none"
	if v.Dark {
		scheme = "dark"
	}
	if v.Forced {
		forced = "active"
	}
	tab.view = v
	tab.do("set viewport", chromedp.EmulateViewport(v.Width, v.Height))
	tab.command("set colour scheme", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "forced-colors", Value: forced}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	})
	tab.awaitSize()
}

// awaitSize waits until the page is laid out for its screen.
func (tab *Tab) awaitSize() {
	tab.t.Helper()
	for end := time.Now().Add(patience); Eval[[2]int64](tab, "[innerWidth, innerHeight]") != [2]int64{tab.view.Width, tab.view.Height}; time.Sleep(pause) {
		if time.Now().After(end) {
			tab.t.Fatalf("the window is not %d by %d", tab.view.Width, tab.view.Height)
		}
	}
}

// NoScript switches the page's scripts off, for all that is loaded from now on.
func (tab *Tab) NoScript() {
	tab.t.Helper()
	tab.command("switch scripts off", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}

// BypassCSP lets axe look into a sandboxed page, for all that is loaded from now on.
func (tab *Tab) BypassCSP(on bool) {
	tab.t.Helper()
	tab.command("bypass the policy", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: on})
		return err
	})
}

// Screenshot keeps a picture of the whole page as NAME.png in the folder that POSTERN_TEST_SCREENSHOTS names; without it
// no picture is taken.
func (tab *Tab) Screenshot(name string) {
	tab.t.Helper()
	folder := os.Getenv("POSTERN_TEST_SCREENSHOTS")
	if folder == "" {
		return
	}
	// The window grows to the page: what lies beyond a window, frames above all, is not always drawn, and pages from right
	// to left are drawn beside where they are.
	height := Eval[int64](tab, "document.documentElement.scrollHeight")
	tab.do("grow", chromedp.EmulateViewport(tab.view.Width, max(height, tab.view.Height)))
	picture := get(tab, "picture of "+name, chromedp.CaptureScreenshot())
	tab.do("shrink", chromedp.EmulateViewport(tab.view.Width, tab.view.Height))
	tab.awaitSize() // what takes the focus meanwhile would not be scrolled to
	if err := os.MkdirAll(folder, 0o755); err != nil {
		tab.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
