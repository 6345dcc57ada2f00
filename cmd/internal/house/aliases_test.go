package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestAliasesAreMadeInOnePlace: B13, no administrator, command or program can make an alias. The field of an account that
// holds them is written in package account only, where a link and a full session of the account are demanded, and no
// composite literal sets it.
func TestAliasesAreMadeInOnePlace(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, path := range sources(t) {
		file := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok {
				for _, left := range a.Lhs {
					if s, ok := left.(*ast.SelectorExpr); ok && s.Sel.Name == "Aliases" {
						found[file] = true
					}
				}
			}
			if c, ok := n.(*ast.CompositeLit); ok && strings.HasSuffix(typeName(c.Type), "Account") && setsAliases(c) {
				found[file] = true
			}
			return true
		})
	}
	for file := range found {
		if dir := filepath.ToSlash(filepath.Dir(file)); dir != "pickup/account" && !allowedElsewhere(file) {
			t.Errorf("%s writes the aliases of something", file)
		}
	}
	for _, file := range []string{"pickup/account/confirm.go", "pickup/account/release.go", "pickup/account/merge.go"} {
		if !found[file] {
			t.Errorf("%s was not found to write aliases: the test does not see what it looks for", file)
		}
	}
}

// allowedElsewhere are other things of that name, which are shown on pages, and the tests of engines.
func allowedElsewhere(file string) bool {
	switch file {
	case "pickup/settings.go", "pickup/admin/user.go", "store/storetest/accounts.go":
		return true
	}
	return false
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.StarExpr:
		return typeName(e.X)
	}
	return ""
}

func setsAliases(c *ast.CompositeLit) bool {
	for _, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && typeName(kv.Key) == "Aliases" {
			return true
		}
	}
	return false
}
