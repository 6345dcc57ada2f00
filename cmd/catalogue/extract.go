package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
)

// text is one msgid. Plural is empty for a text without a count, Context for one that is said alike everywhere.
type text struct {
	Context, ID, Plural string
	Files               []string
}

// key is what tells texts apart, as compiled catalogues write it.
func (t text) key() string { return t.Context + "\x04" + t.ID }

// found gathers texts by key.
type found map[string]*text

func (f found) add(file, id, plural string) { f.addIn(file, "", id, plural) }

func (f found) addIn(file, context, id, plural string) {
	if id == "" {
		return
	}
	key := text{Context: context, ID: id}.key()
	t := f[key]
	if t == nil {
		t = &text{Context: context, ID: id}
		f[key] = t
	}
	t.Plural = cmp.Or(t.Plural, plural)
	if !slices.Contains(t.Files, file) {
		t.Files = append(t.Files, file)
	}
}

// console holds the administrators' pages, which are in English only.
const console = "pickup/admin/"

// extract finds every text below ROOT/pickup but the console's, in the order of their first file and then of the
// alphabet.
func extract(root string) ([]text, error) {
	all := found{}
	err := filepath.WalkDir(filepath.Join(root, "pickup"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch name = filepath.ToSlash(name); {
		case strings.HasPrefix(name, console):
		case strings.HasSuffix(name, ".go"):
			return all.fromGo(path, name)
		case strings.HasSuffix(name, ".html") && strings.Contains(name, "/templates/"), strings.HasSuffix(name, ".tmpl"):
			return all.fromTemplate(path, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]text, 0, len(all))
	for _, t := range all {
		slices.Sort(t.Files)
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b text) int {
		return cmp.Or(strings.Compare(a.Files[0], b.Files[0]), strings.Compare(a.ID, b.ID), strings.Compare(a.Context, b.Context))
	})
	return list, nil
}

func (f found) fromTemplate(path, name string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(string(source), "", "", trees); err != nil {
		return err
	}
	for _, t := range trees {
		f.walk(name, t.Root)
	}
	return nil
}

// walk looks at every command of a template, also at those in brackets.
func (f found) walk(file string, n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, kid := range n.Nodes {
				f.walk(file, kid)
			}
		}
	case *parse.ActionNode:
		f.walk(file, n.Pipe)
	case *parse.TemplateNode:
		f.walk(file, n.Pipe)
	case *parse.IfNode:
		f.branch(file, n.BranchNode)
	case *parse.RangeNode:
		f.branch(file, n.BranchNode)
	case *parse.WithNode:
		f.branch(file, n.BranchNode)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				f.walk(file, c)
			}
		}
	case *parse.CommandNode:
		f.command(file, n)
		for _, arg := range n.Args {
			f.walk(file, arg)
		}
	}
}

func (f found) branch(file string, b parse.BranchNode) {
	f.walk(file, b.Pipe)
	f.walk(file, b.List)
	f.walk(file, b.ElseList)
}

func (f found) command(file string, c *parse.CommandNode) {
	function, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok {
		return
	}
	literal := func(i int) string {
		if i >= len(c.Args) {
			return ""
		}
		s, ok := c.Args[i].(*parse.StringNode)
		if !ok {
			return ""
		}
		return s.Text
	}
	switch function.Ident {
	case "t":
		f.add(file, literal(1), "")
	case "tc":
		f.addIn(file, literal(1), literal(2), "")
	case "tn":
		f.add(file, literal(2), literal(3))
	}
}

func (f found) fromGo(path, name string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			f.call(name, n)
		case *ast.ValueSpec:
			for i, v := range n.Values {
				if i < len(n.Names) && strings.HasPrefix(n.Names[i].Name, "phrase") {
					f.add(name, literalOf(v), "")
				}
			}
		}
		return true
	})
	return nil
}

func (f found) call(file string, c *ast.CallExpr) {
	function, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	literal := func(i int) string {
		if i >= len(c.Args) {
			return ""
		}
		return literalOf(c.Args[i])
	}
	switch function.Sel.Name {
	case "T":
		f.add(file, literal(0), "")
	case "Text", "say":
		f.add(file, cmp.Or(literal(0), literal(1)), "")
	case "C":
		f.addIn(file, literal(0), literal(1), "")
	case "N", "Plural":
		f.add(file, literal(1), literal(2))
	}
}

// literalOf is the value of a string literal, or of several joined by +; "" for anything else.
func literalOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return s
		}
	case *ast.BinaryExpr:
		if a, b := literalOf(e.X), literalOf(e.Y); a != "" && b != "" {
			return a + b
		}
	}
	return ""
}
