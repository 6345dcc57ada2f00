package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/cmd/testneed"
)

// axeFile is where "npm ci" in .ci puts axe-core.
const axeFile = ".ci/node_modules/axe-core/axe.min.js"

// axeRules is which of axe's rules are checked.
type axeRules string

// All levels of WCAG 2.2 and axe's best practices; those about colours alone; all but those.
const (
	axeAll     axeRules = `runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag2aaa", "wcag21a", "wcag21aa", "wcag21aaa", "wcag22a", "wcag22aa", "wcag22aaa", "best-practice"]}`
	axeColours axeRules = `runOnly: {type: "rule", values: ["color-contrast", "color-contrast-enhanced", "link-in-text-block"]}`
	axeLayout  axeRules = axeAll + `, rules: {"color-contrast": {enabled: false}, "color-contrast-enhanced": {enabled: false}, "link-in-text-block": {enabled: false}}`
)

// axeRun checks the page. Frames hold mails, whose authors answer for them.
const axeRun = `axe.run(document, {
  iframes: false,
  resultTypes: ["violations"],
  RULES,
}).then(r => r.violations.flatMap(v => v.nodes.map(n =>
  v.id + " (" + v.impact + "): " + v.help + "\n    " + n.target.join(" ") + "\n    " + n.html.slice(0, 300) + "\n    " + (n.failureSummary || ""))))`

// Axe fails the test for everything that axe-core finds on the page.
func (tab *Tab) Axe(t testing.TB) {
	t.Helper()
	tab.axe(t, axeAll)
}

func (tab *Tab) axe(t testing.TB, rules axeRules) {
	t.Helper()
	if !Eval[bool](tab, "!!window.axe") {
		Eval[bool](tab, axeSource(t)+"\n; true")
	}
	for _, finding := range Eval[[]string](tab, strings.Replace(axeRun, "RULES", string(rules), 1)) {
		t.Errorf("axe on %s: %s", tab.Path(), finding)
	}
}

// axeSource reads axe-core from the repository that the test runs in.
func axeSource(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		source, err := os.ReadFile(filepath.Join(dir, axeFile))
		if err == nil {
			return strings.TrimSpace(string(source))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			testneed.Missing(t, "axe-core is not installed; \"npm ci\" in .ci installs it")
		}
		dir = parent
	}
}
