package mime

import (
	"slices"
	"strings"

	"postern/store/mail"
)

const (
	typePlain = "text/plain"
	typeHTML  = "text/html"
)

// node is a part with the parts inside it.
type node struct {
	part mail.Part
	kids []*node
}

// tree puts the parts below their containers by their paths. The outermost multipart has an empty path; a message that
// is none gets one.
func tree(parts []mail.Part) *node {
	root := &node{part: mail.Part{Type: "multipart/mixed"}}
	at := map[string]*node{}
	for _, p := range parts {
		if p.Path == "" && p.IsContainer() {
			root.part = p
			continue
		}
		n := &node{part: p}
		up := root
		for path := parentPath(p.Path); path != ""; path = parentPath(path) {
			if found := at[path]; found != nil {
				up = found
				break
			}
		}
		up.kids = append(up.kids, n)
		at[p.Path] = n
	}
	return root
}

func parentPath(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i]
	}
	return ""
}

// leaves are the parts that are no containers, in order. An attached message is one of them.
func (n *node) leaves() []mail.Part {
	if !n.part.IsContainer() {
		return []mail.Part{n.part}
	}
	var all []mail.Part
	for _, kid := range n.kids {
		all = append(all, kid.leaves()...)
	}
	return all
}

// bodyParts are the leaves that make up the body, in order, where there is a choice in the preferred type.
func bodyParts(parts []mail.Part, prefer string) []mail.Part {
	root := tree(parts)
	leaves := root.leaves()
	if len(leaves) == 0 {
		return nil
	}
	return root.choose(prefer, leaves[0].Path)
}

// choose picks what to show of n. first is the path of the message's first leaf.
func (n *node) choose(prefer, first string) []mail.Part {
	if !n.part.IsContainer() {
		if shown(n.part, first) {
			return []mail.Part{n.part}
		}
		return nil
	}
	switch n.part.Type {
	case "multipart/alternative":
		return n.alternative(prefer, first)
	case "multipart/related", "multipart/signed":
		for _, kid := range n.kids {
			if found := kid.choose(prefer, first); len(found) > 0 {
				return found
			}
		}
		return nil
	}
	var all []mail.Part
	for _, kid := range n.kids {
		all = append(all, kid.choose(prefer, first)...)
	}
	return all
}

// alternative picks the last branch that has the preferred type, for authors put the richest last (RFC 2046 §5.1.4), or
// else the last that has anything to show.
func (n *node) alternative(prefer, first string) []mail.Part {
	var best []mail.Part
	for _, kid := range slices.Backward(n.kids) {
		found := kid.choose(prefer, first)
		if hasType(found, prefer) {
			return found
		}
		if best == nil {
			best = found
		}
	}
	return best
}

func hasType(parts []mail.Part, typ string) bool {
	return slices.ContainsFunc(parts, func(p mail.Part) bool { return p.Type == typ })
}

// shown reports whether a leaf is text of the body. A text with a name is a file, unless the message begins with it.
func shown(p mail.Part, first string) bool {
	if p.Type != typePlain && p.Type != typeHTML {
		return false
	}
	return p.Disposition != "attachment" && (p.Name == "" || p.Path == first)
}
