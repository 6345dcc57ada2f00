package pickup

import (
	"net/http"
	"regexp"
	"strings"

	"postern/pickup/account"
	"postern/store/seal"
)

func (s *Site) pastePage(w http.ResponseWriter, r *http.Request) error {
	who, err := s.who(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "link", linkPage{page: s.page(r, who), Whole: tokenLength})
}

// paste leads to the page of a pasted link.
func (s *Site) paste(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "link")
	if err != nil {
		return err
	}
	if strings.TrimSpace(f["link"]) == "" {
		p := linkPage{page: s.page(r, account.Signed{}), Whole: tokenLength}
		p.Wrong = true
		return s.show(w, r, http.StatusUnprocessableEntity, "link", p)
	}
	kind, secret, err := pasted(f["link"])
	if err != nil {
		return s.badLink(w, r, err)
	}
	return redirect(w, r, "/"+string(kind)+"/"+secret.Token(kind))
}

// linkPath finds where the token begins in a pasted link.
var linkPath = regexp.MustCompile(`(?is)/([pwnavr])/(.*)$`)

// pasted finds a token in whatever was pasted: a link in one piece or several, with or without words behind it, or the
// token alone (P15). The error is that of the whole text.
func pasted(text string) (seal.TokenKind, seal.LinkSecret, error) {
	kinds := []seal.TokenKind{seal.TokenPickup, seal.TokenWelcome, seal.TokenSetup, seal.TokenAlias, seal.TokenActivate, seal.TokenReset}
	if m := linkPath.FindStringSubmatch(text); m != nil {
		kinds, text = []seal.TokenKind{seal.TokenKind(strings.ToLower(m[1])[0])}, m[2]
	}
	const pieces = 8
	fields := strings.Fields(text)
	for n := min(len(fields), pieces); n > 0; n-- {
		for _, kind := range kinds {
			if secret, err := seal.ParseToken(kind, strings.Join(fields[:n], "")); err == nil {
				return kind, secret, nil
			}
		}
	}
	_, err := seal.ParseToken(kinds[0], strings.Join(fields, ""))
	return kinds[0], seal.LinkSecret{}, err
}
