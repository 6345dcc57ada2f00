package seal

import (
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestContextParts(t *testing.T) {
	t.Parallel()
	const want = "000a706f737465726e2f7631" + "00046c696e6b" + "0000" + "000131"
	if got := hex.EncodeToString(encode("link", "", "1")); got != want {
		t.Errorf("encode = %s, want %s", got, want)
	}
	if string(encode("ab", "c")) == string(encode("a", "bc")) {
		t.Error("parts run together")
	}
	if got := len(encode(strings.Repeat("x", 65535))); got != 12+2+65535 {
		t.Errorf("the longest part gives %d octets", got)
	}
}

func TestContextRefusesLongPart(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a part of 65,536 octets was encoded")
		}
	}()
	encode(strings.Repeat("x", 65536))
}

// TestLabelsOccurOnce holds the rule that a context string stands in the code once, as a constant.
func TestLabelsOccurOnce(t *testing.T) {
	t.Parallel()
	count := make(map[string]int)
	labels := make(map[string]string)
	for _, f := range parsePackage(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					count[s]++
				}
			case *ast.ValueSpec:
				if name := n.Names[0].Name; strings.HasPrefix(name, "ctx") || name == "protocol" || name == "stanzaType" {
					s, err := strconv.Unquote(n.Values[0].(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					if other := labels[s]; other != "" {
						t.Errorf("%s and %s are the same label", name, other)
					}
					labels[s] = name
				}
			}
			return true
		})
	}
	if len(labels) < 25 {
		t.Fatalf("found only %d labels", len(labels))
	}
	for s, name := range labels {
		if count[s] != 1 {
			t.Errorf("label %q of %s occurs %d times in the code", s, name, count[s])
		}
	}
}

func parsePackage(t *testing.T) (files []*ast.File) {
	t.Helper()
	entries, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range entries {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}
