package web

import (
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"text/template/parse"
)

// layoutFile frames every page.
const layoutFile = "layout.html"

// trees are parsed templates by name.
type trees map[string]*parse.Tree

// parseAll reads the templates of all pages into one set. Pages define blocks of the same names, so what a page defines
// is called "PAGE/BLOCK" there, and so is its own copy of whatever calls one of its blocks: the layout, and the parts
// that leave a block to the page. All else stands in the set once, however many pages use it: a set for each page
// would be over 100 MiB in seven languages.
func parseAll(files fs.FS, funcs template.FuncMap) (all trees, pages []string, err error) {
	base, err := template.New("").Funcs(funcs).ParseFS(shared, "templates/_*.html")
	if err != nil {
		return nil, nil, err
	}
	if base, err = base.ParseFS(files, layoutFile, "_*.html"); err != nil {
		return nil, nil, err
	}
	all = treesOf(base)
	common := treesOf(base)
	names, err := fs.Glob(files, "*.html")
	if err != nil {
		return nil, nil, fmt.Errorf("list templates: %w", err)
	}
	for _, name := range names {
		if name == layoutFile || strings.HasPrefix(name, "_") {
			continue
		}
		own, err := template.New("").Funcs(funcs).ParseFS(files, name)
		if err != nil {
			return nil, nil, err
		}
		page := strings.TrimSuffix(path.Base(name), ".html")
		pages = append(pages, page)
		all.add(page, common, treesOf(own))
	}
	return all, pages, nil
}

func treesOf(set *template.Template) trees {
	found := trees{}
	for _, t := range set.Templates() {
		if t.Tree != nil {
			found[t.Name()] = t.Tree
		}
	}
	return found
}

// add puts a page's own templates into the set, and its copies of the common ones that call them.
func (all trees) add(page string, common, own trees) {
	for grown := true; grown; {
		grown = false
		for name, tree := range common {
			if own[name] == nil && calls(tree, own) {
				own[name], grown = tree.Copy(), true
			}
		}
	}
	for name, tree := range own {
		eachCall(tree.Root, func(n *parse.TemplateNode) {
			if own[n.Name] != nil {
				n.Name = blockName(page, n.Name)
			}
		})
		all[blockName(page, name)] = tree
	}
}

func blockName(page, block string) string { return page + "/" + block }

// calls reports whether a template calls one of others.
func calls(tree *parse.Tree, others trees) (found bool) {
	eachCall(tree.Root, func(n *parse.TemplateNode) { found = found || others[n.Name] != nil })
	return found
}

// eachCall visits the template actions below a node.
func eachCall(n parse.Node, visit func(*parse.TemplateNode)) {
	switch n := n.(type) {
	case *parse.TemplateNode:
		visit(n)
	case *parse.ListNode:
		if n != nil { // no else
			for _, c := range n.Nodes {
				eachCall(c, visit)
			}
		}
	case *parse.IfNode:
		eachBranch(&n.BranchNode, visit)
	case *parse.RangeNode:
		eachBranch(&n.BranchNode, visit)
	case *parse.WithNode:
		eachBranch(&n.BranchNode, visit)
	}
}

func eachBranch(n *parse.BranchNode, visit func(*parse.TemplateNode)) {
	eachCall(n.List, visit)
	eachCall(n.ElseList, visit)
}

// bind makes the set of one language, by its functions.
func (all trees) bind(funcs template.FuncMap) *template.Template {
	set := template.New("").Funcs(funcs).Option("missingkey=error")
	for name, tree := range all {
		template.Must(set.AddParseTree(name, tree.Copy())) // fails only in a set that was executed
	}
	return set
}
