package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testFunc  = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	testNamed = regexp.MustCompile(`\bTest[A-Z]\w*…?`)
	pathNamed = regexp.MustCompile(`\b(?:cmd|pickup|smtpd|store|testdata)/[\w/]*\w`)
)

// TestDocsNameTestsThatExist holds the guides to the code: each test that they name exists.
func TestDocsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	guides, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(guides) < 5 {
		t.Fatalf("%d guides found, %v", len(guides), err)
	}
	tests := testNames(t)
	if len(tests) < 200 {
		t.Errorf("only %d tests found", len(tests))
	}
	for _, guide := range append(guides, filepath.Join(root, "README.md"), filepath.Join(root, "docs", "design", "CHANGES.md")) {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range testNamed.FindAllString(string(text), -1) {
			if !named(tests, name) {
				t.Errorf("%s: no test is named %s", filepath.Base(guide), name)
			}
		}
	}
}

// TestFeaturesNameWhatShowsThem holds docs/features.md to the code: each folder that it names exists, and each feature
// that is done names something that shows it.
func TestFeaturesNameWhatShowsThem(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "features.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		rows++
		for _, path := range pathNamed.FindAllString(line, -1) {
			if !isThere(path) {
				t.Errorf("there is no %s: %s", path, line)
			}
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if strings.Contains(line, "**done**") && strings.TrimSpace(cells[len(cells)-1]) == "" {
			t.Errorf("nothing shows what is said to be done: %s", line)
		}
	}
	if rows < 40 {
		t.Errorf("only %d rows found", rows)
	}
}

// named reports whether a test has a name; one that ends in … stands for all that begin so.
func named(tests map[string]bool, name string) bool {
	prefix, many := strings.CutSuffix(name, "…")
	if !many {
		return tests[name]
	}
	for test := range tests {
		rest, ok := strings.CutPrefix(test, prefix)
		if ok && (rest == "" || rest[0] < '0' || rest[0] > '9') { // TestI1… is not TestI10
			return true
		}
	}
	return false
}

// isThere reports whether a path exists in the repository; testdata is sought in every package.
func isThere(path string) bool {
	if strings.HasPrefix(path, "testdata/") {
		found, err := filepath.Glob(filepath.Join(root, "*", "*", path))
		return err == nil && len(found) > 0
	}
	_, err := os.Stat(filepath.Join(root, path))
	return err == nil
}

// testNames lists the test functions of all packages.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, dir := range []string{"cmd", "pickup", "smtpd", "store"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			code, err := os.ReadFile(path)
			for _, m := range testFunc.FindAllSubmatch(code, -1) {
				names[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}
