package pickup_test

import (
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/pickup"
	"postern/store"
)

// pagesOfCodes are those of somebody who reads with mailed codes, in every state.
func pagesOfCodes(t *testing.T, change ...func(*pickup.Config)) map[string]string {
	t.Helper()
	w := newWorld(t, append(change, byCode)...)
	pages := map[string]string{}
	add := func(name string, a answer) { pages[name] = a.body }
	secret, key := w.plant(joan, letter{subject: "[secure] Care plan", text: "Dear Joan"})
	second, secondKey := w.plant(joan, letter{subject: "Second", text: "x"})
	peters, _ := w.plant(peter, letter{subject: "x", text: "x"})
	v := w.visitor()
	add("cover.code", v.get(linkOf(secret)))
	add("sign-in.code", v.get("/sign-in"))
	code, _ := v.askCode(secret)
	add("cover.code-waiting", v.get(linkOf(secret)))
	add("code", v.get(linkOf(secret)+"?step=code"))
	add("code.empty", v.enter(secret, ""))
	add("code.wrong", v.enter(secret, wrongCode(code, 1)))
	other := w.visitor()
	other.askCode(second)
	w.advance(20 * time.Minute)
	add("code.over", other.get(linkOf(second)+"?step=code"))
	add("code.refused", other.enter(second, "12345678"))
	v.askCode(secret)
	code, _ = v.askCode(secret)
	add("code.limited", v.post(linkOf(secret), "step", "send"))
	add("code.enough", w.visitor().post(linkOf(secret), "step", "send"))
	add("message.code", v.follow(v.enter(secret, code)))
	add("visit", v.get("/"))
	add("cover.code-open", v.get(linkOf(second)))
	add("link.needed-code", v.get("/m/"+secondKey.String()))
	add("refused.code", v.get(linkOf(peters)))
	add("print.code", v.get("/m/"+key.String()+"/print"))
	add("reply.code", v.get("/m/"+key.String()+"/reply"))
	add("sign-in.writing-code", w.visitor().upload("/m/"+key.String()+"/reply", field{"text", "", "Thank you"}))
	add("sent-message.code", v.follow(v.upload("/m/"+key.String()+"/reply", field{"text", "", "Thank you"})))
	add("cookies.code", v.get("/cookies"))
	w.update(func(tx store.Tx) error {
		r, err := tx.Messages().Recipient(key)
		if err != nil {
			return err
		}
		r.State, r.Since = store.StateRecalled, w.Now()
		return tx.Messages().Set(r)
	})
	add("visit.empty", v.get("/"))
	add("ended.code", v.get("/m/"+key.String()))
	return pages
}

// TestPagesOfCodesLookRightAndAxeFindsNothing goes the way of a code in a browser and looks at every page, as the gallery
// of all other pages does.
func TestPagesOfCodesLookRightAndAxeFindsNothing(t *testing.T) {
	t.Parallel()
	chromium := common.Browser(t)
	w := newWorld(t, byCode)
	first, key := w.plant(joan, carePlan(t))
	second, secondKey := w.plant(joan, letter{subject: "Bathroom adaptations", text: "x"})
	peters, _ := w.plant(peter, letter{subject: "x", text: "x"})
	g := gallery{t, w, chromium.Tab(t)}
	tab := g.tab
	g.visit("30-code-link", linkOf(first))
	code := w.newCode(func() { tab.Press(".envelope .btn") })
	g.look("30b-code")
	if wraps := browser.Eval[string](tab, `getComputedStyle(document.querySelector("#code-h code")).whiteSpace`); wraps != "nowrap" {
		t.Errorf("the letters that tell a mail may stand on two lines: %q", wraps)
	}
	tab.Fill("#code", wrongCode(code, 1))
	tab.Press("main form .btn")
	g.look("30c-code-wrong")
	tab.Fill("#code", code)
	tab.Press("main form .btn")
	g.look("30d-code-message")
	if got := tab.Path(); got != "/m/"+key.String() {
		t.Errorf("after the code the browser is at %s", got)
	}
	g.visit("30e-code-visit", "/")
	g.visit("30f-code-second", linkOf(second))
	g.visit("30g-code-needs-link", "/m/"+secondKey.String())
	g.visit("30h-code-refused", linkOf(peters))
	g.visit("30i-code-reply", "/m/"+key.String()+"/reply")
	tab.Fill("#text", "Dear Maria Lindqvist,\n\nthe date suits me well.\n\nJoan Hartley")
	tab.Press("main form .btn")
	g.look("30j-code-sent")
	tab.Press(".topnav button")
	g.look("30k-code-signed-out")
	tab.Go(w.server.URL + linkOf(second))
	w.newCode(func() { tab.Press(".envelope .btn") })
	w.advance(16 * time.Minute)
	g.visit("30l-code-over", linkOf(second)+"?step=code")
	for range 2 {
		w.visitor().askCode(second)
	}
	tab.Press("main form .btn")
	g.look("30m-code-enough")
}

// newCode is the code that something has mailed.
func (w *world) newCode(press func()) string {
	w.t.Helper()
	before := map[string]bool{}
	for _, raw := range w.mailsOf(store.KindCode) {
		before[raw] = true
	}
	press()
	for _, raw := range w.mailsOf(store.KindCode) {
		if c := mailedCode.FindStringSubmatch(raw); c != nil && !before[raw] {
			return c[1]
		}
	}
	w.t.Fatal("no mail with a code waits")
	return ""
}
