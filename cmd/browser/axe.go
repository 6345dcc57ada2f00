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

// axeRun checks the page against all levels of WCAG 2.2 and axe's best practices. Frames hold mails, whose authors
// answer for them.
const axeRun = `axe.run(document, {
  iframes: false,
  resultTypes: ["violations"],
  runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag2aaa", "wcag21a", "wcag21aa", "wcag21aaa", "wcag22a", "wcag22aa", "wcag22aaa", "best-practice"]},
}).then(r => r.violations.flatMap(v => v.nodes.map(n =>
  v.id + " (" + v.impact + "): " + v.help + "\n    " + n.target.join(" ") + "\n    " + n.html.slice(0, 300) + "\n    " + (n.failureSummary || ""))))`

// Axe fails the test for everything that axe-core finds on the page.
func (tab *Tab) Axe(t testing.TB) {
	t.Helper()
	source := axeSource(t)
	Eval[bool](tab, source+"\n; true")
	for _, finding := range Eval[[]string](tab, axeRun) {
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
