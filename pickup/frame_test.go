package pickup_test

import (
	"strings"
	"testing"

	"postern/cmd/browser"
)

// TestFrameIsReadByKeyboard: Tab leads into the frame of a message, where the arrow keys then scroll.
func TestFrameIsReadByKeyboard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, key := w.plant(joan, letter{subject: "x", text: "x", html: strings.Repeat("<p>One paragraph of many in a long report.</p>", 300)})
	w.visitor().register(secret)
	tab := common.Browser(t).Tab(t)
	tab.Go(w.server.URL + "/sign-in?to=/m/" + key.String())
	tab.Fill("#email", joan.String())
	tab.Fill("#password", password)
	tab.Press("main .btn")
	tab.Eval(`document.querySelector(".tabs a:last-child").focus()`)
	tab.Keys(browser.KeyTab)
	tab.AwaitFocus("iframe")
}
