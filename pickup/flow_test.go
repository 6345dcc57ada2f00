package pickup_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestFirstVisitLeadsFromLinkToMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, key := w.plant(joan, letter{subject: "[secure] Your care plan", text: "Dear Mrs Hartley,\n\nall is well.\n"})
	v := w.visitor()
	a := v.get(linkOf(secret))
	if a.status != http.StatusOK || !strings.Contains(a.body, "Maria Lindqvist") || strings.Contains(a.body, "care plan") {
		t.Fatalf("cover: %d\n%s", a.status, a.body)
	}
	a = v.register(secret)
	if got, want := a.to(), "/m/"+key.String(); !strings.HasPrefix(got, want) {
		t.Fatalf("registration leads to %s, want %s", got, want)
	}
	a = v.follow(a)
	if a.status != http.StatusOK || !strings.Contains(a.body, "all is well") || !strings.Contains(a.body, "<h1 dir=\"auto\" lang=\"\">Your care plan</h1>") {
		t.Fatalf("message: %d\n%s", a.status, a.body)
	}
}
