package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	root        = "../../.."
	maxFunction = 100
	maxFile     = 400
)

// topLevel is all that the repository's root may hold, dot files aside.
var topLevel = []string{"cmd", "smtpd", "pickup", "store", "config.example.yaml", "go.mod", "go.sum", "README.md", "Makefile", "docs", "LICENSE", "bin", "data"}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !contains(topLevel, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func TestSizesOfFunctionsAndFiles(t *testing.T) {
	fset := token.NewFileSet()
	for _, path := range sources(t) {
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if n := fset.File(file.Pos()).LineCount(); n > maxFile {
			t.Errorf("%s has %d lines, over %d", path, n, maxFile)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; n > maxFunction {
				t.Errorf("%s: %s has %d lines, over %d", path, f.Name.Name, n, maxFunction)
			}
			if f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s has an init function: wire by hand instead", path)
			}
		}
	}
}

// TestUploadsAreStreamed bans the form readers that write uploads to disk in clear (I1, KEYS K15).
func TestUploadsAreStreamed(t *testing.T) {
	for _, path := range sources(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, banned := range []string{".ParseMultipartForm(", ".FormFile("} {
			if strings.Contains(string(text), banned) {
				t.Errorf("%s uses %s: it keeps uploads in temporary files", path, strings.Trim(banned, ".("))
			}
		}
	}
}

func sources(t *testing.T) (paths []string) {
	t.Helper()
	for _, dir := range []string{"cmd", "smtpd", "pickup", "store"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if len(paths) == 0 {
		t.Fatal("no sources found")
	}
	return paths
}
