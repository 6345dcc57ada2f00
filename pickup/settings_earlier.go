package pickup

import (
	"errors"
	"net/http"

	"postern/pickup/account"
)

// earlierPage is settings-earlier.html: for people who remember the password that they had before.
type earlierPage struct {
	page
	Miss bool // today's password is another
	None bool // the earlier one opens nothing
}

func (s *Site) earlierPage(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	return s.show(w, r, http.StatusOK, "settings-earlier", s.earlierForm(r, who))
}

func (s *Site) earlierForm(r *http.Request, who account.Signed) earlierPage {
	p := earlierPage{page: s.page(r, who)}
	p.Here = "settings"
	return p
}

// useEarlier brings back what was sealed for an earlier password (KEYS K7).
func (s *Site) useEarlier(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	f, err := form(r, "old", "earlier")
	if err != nil {
		return err
	}
	p := s.earlierForm(r, who)
	err = s.Accounts.UseEarlier(r.Context(), who, account.Earlier{Current: f["old"], Earlier: f["earlier"], Client: s.client(r)})
	switch {
	case errors.Is(err, account.ErrPassword):
		p.Wrong, p.Miss = true, true
	case errors.Is(err, account.ErrEarlier):
		p.Wrong, p.None = true, true
	case errors.Is(err, account.ErrNoSession):
		return redirect(w, r, signInFor(r))
	case err != nil:
		return err
	default:
		s.Messages.Forget(who.Session.ID)
		return redirect(w, r, "/?done=earlier")
	}
	return s.show(w, r, http.StatusForbidden, "settings-earlier", p)
}
