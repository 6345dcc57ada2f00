package browser

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

// told are the roles by which a screen reader leads through a page.
const told = " banner navigation main complementary contentinfo region search alert status heading link button textbox searchbox" +
	" checkbox radio combobox DisclosureTriangle Iframe "

// Reading is the page as a screen reader passes through it: its landmarks, headings and controls as "role: name", in the
// order of the accessibility tree.
func (tab *Tab) Reading() (list []string) {
	tab.t.Helper()
	var nodes []*accessibility.Node
	tab.command("read the accessibility tree", func(ctx context.Context) error {
		res, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		nodes = res.Nodes
		return err
	})
	if len(nodes) == 0 {
		tab.t.Fatal("the accessibility tree is empty")
	}
	var walk func(accessibility.NodeID)
	walk = func(id accessibility.NodeID) {
		i := slices.IndexFunc(nodes, func(n *accessibility.Node) bool { return n.NodeID == id })
		if i < 0 { // in a frame
			return
		}
		n := nodes[i]
		if role := said(n.Role); !n.Ignored && strings.Contains(told, " "+role+" ") {
			list = append(list, strings.TrimSpace(role+": "+said(n.Name)))
		}
		for _, child := range n.ChildIDs {
			walk(child)
		}
	}
	walk(nodes[0].NodeID)
	return list
}

// said is the text of a role or name.
func said(v *accessibility.Value) (text string) {
	if v == nil || json.Unmarshal(v.Value, &text) != nil {
		return ""
	}
	return strings.Join(strings.Fields(text), " ")
}
