package console

import (
	"html/template"
	"strconv"
	"strings"

	"rsc.io/qr"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// choice is the empty form for a new password of an administrator.
func (c *Console) choice(of store.Address) web.Choice {
	var ids []string
	for _, criterion := range c.Admin.Criteria("", of) {
		ids = append(ids, criterion.ID)
	}
	return web.NewChoice(web.PasswordRules{Min: admin.MinPassword, Max: admin.MaxPassword, Long: admin.LongPassword,
		Own: strings.Join(c.Admin.OwnWords(of), " "), Common: c.common}, ids)
}

// judge holds the fields password and password2 against the criteria, marks what is wrong, and reports whether all is
// well.
func (c *Console) judge(choice *web.Choice, f map[string]string, of store.Address) bool {
	met, all := map[string]bool{}, true
	for _, criterion := range c.Admin.Criteria(f["password"], of) {
		met[criterion.ID] = criterion.Met
		all = all && criterion.Met
	}
	equal := f["password"] == f["password2"]
	if all && equal {
		return true
	}
	choice.Mark(met, equal)
	return false
}

// picture is a text as a QR code, black on white whatever the colours of the page, for cameras want it so. The label is
// what those hear who see none.
func picture(text, label string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	const quiet = 4 // modules around it (ISO/IEC 18004)
	size := strconv.Itoa(code.Size + 2*quiet)
	var b strings.Builder
	b.WriteString(`<svg class="qr" role="img" aria-label="` + template.HTMLEscapeString(label) + `" width="240" height="240" viewBox="0 0 ` +
		size + ` ` + size + `" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h` + size + `v` + size + `H0z"/><path fill="#000" d="`)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				b.WriteString("M" + strconv.Itoa(x+quiet) + " " + strconv.Itoa(y+quiet) + "h1v1h-1z")
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()), nil
}
