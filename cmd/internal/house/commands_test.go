package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// looks are how methods end that change nothing: the console shows more at once than a command needs.
var looks = []string{"List", "Show", "Trace", "Export", "Explain", "Count", "Preview"}

// TestEveryActionIsACommand: whatever an administrator may do, which is each method of admin.Service that takes an Actor,
// the control socket answers as well, and whatever the socket answers some command asks; both by the one service.
func TestEveryActionIsACommand(t *testing.T) {
	t.Parallel()
	asked := map[string]bool{}
	for _, f := range parsed(t, filepath.Join("cmd", "postern", "*.go")) {
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok {
				for _, a := range c.Args {
					asked[literal(a)] = true
				}
			}
			return true
		})
	}
	for _, f := range parsed(t, filepath.Join("cmd", "postern", "*methods.go")) {
		ast.Inspect(f, func(n ast.Node) bool {
			if e, ok := n.(*ast.KeyValueExpr); ok && strings.Contains(literal(e.Key), ".") && !asked[literal(e.Key)] {
				t.Errorf("no command asks the socket for %s", literal(e.Key))
			}
			return true
		})
	}
	answered := map[string]bool{}
	for _, f := range parsed(t, filepath.Join("cmd", "postern", "*methods.go")) {
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok {
				if s, ok := c.Fun.(*ast.SelectorExpr); ok {
					answered[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	actions := 0
	for _, f := range parsed(t, filepath.Join("pickup", "admin", "*.go")) {
		for _, d := range f.Decls {
			m, ok := d.(*ast.FuncDecl)
			if !ok || m.Recv == nil || !m.Name.IsExported() || typeName(m.Recv.List[0].Type) != "Service" || !takes(m, "Actor") {
				continue
			}
			if slices.ContainsFunc(looks, func(end string) bool { return strings.HasSuffix(m.Name.Name, end) }) {
				continue
			}
			if actions++; !answered[m.Name.Name] {
				t.Errorf("the socket does not answer admin.Service.%s", m.Name.Name)
			}
		}
	}
	if actions < 15 {
		t.Errorf("only %d actions found", actions)
	}
}

// literal is what a string literal says; "" for other expressions.
func literal(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		return strings.Trim(l.Value, "`\"")
	}
	return ""
}

// takes reports whether a function has a parameter of a type.
func takes(f *ast.FuncDecl, name string) bool {
	return slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool { return typeName(p.Type) == name })
}

// parsed are the files of a pattern, without tests.
func parsed(t *testing.T, pattern string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}
