package pickup

import (
	"errors"
	"net/http"
	"time"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
)

// addressPage is settings-address.html: an address to add to the account, or to take off it. The password is typed
// again.
type addressPage struct {
	page
	Remove  bool
	Waiting bool // the address to remove is not confirmed yet
	Address string
	Problem string // with the address: invalid, own, limit, often
	Miss    bool   // the password is another
	Blank   bool   // no password was typed
	Max     int
}

func (s *Site) addressForm(r *http.Request, who account.Signed) addressPage {
	p := addressPage{page: s.page(r, who), Max: account.MaxAliases}
	p.Here = "settings"
	return p
}

func (s *Site) addressPage(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	return s.show(w, r, http.StatusOK, "settings-address", s.addressForm(r, who))
}

// changeAddress takes the forms about aliases. Those of the settings page bring no password yet: they lead to the page
// that asks for it, and change nothing.
func (s *Site) changeAddress(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	f, err := form(r, "do", "alias", "old")
	if err != nil {
		return err
	}
	p := s.addressForm(r, who)
	p.Address = web.OneLine(f["alias"], store.MaxAddress)
	_, typed := f["old"]
	in := account.AliasForm{Address: f["alias"], Password: f["old"], Client: s.client(r)}
	switch f["do"] {
	case "add":
		return s.addAddress(w, r, who, p, in, typed)
	case "remove":
		p.Remove = true
		return s.removeAddress(w, r, who, p, in, typed)
	}
	return errInvalid
}

func (s *Site) addAddress(w http.ResponseWriter, r *http.Request, who account.Signed, p addressPage, in account.AliasForm, typed bool) error {
	_, err := account.ReadAlias(who.Account, in.Address)
	if err == nil && !typed {
		return s.show(w, r, http.StatusOK, "settings-address", p)
	}
	p.Blank = typed && in.Password == ""
	if err == nil {
		err = s.Accounts.AddAlias(r.Context(), who, in)
	}
	return s.addressDone(w, r, p, "alias", err)
}

func (s *Site) removeAddress(w http.ResponseWriter, r *http.Request, who account.Signed, p addressPage, in account.AliasForm, typed bool) error {
	all, err := s.Accounts.Aliases(r.Context(), who)
	if err != nil {
		return err
	}
	found := false
	for _, a := range all {
		if a.Address.String() == in.Address {
			found, p.Waiting = true, !a.Asked.IsZero()
		}
	}
	if !found { // removed meanwhile, or never there
		return redirect(w, r, "/settings")
	}
	if !typed {
		return s.show(w, r, http.StatusOK, "settings-address", p)
	}
	return s.addressDone(w, r, p, "alias-removed", s.Accounts.RemoveAlias(r.Context(), who, in))
}

// addressDone leads back to the settings, or shows the form again with what is wrong.
func (s *Site) addressDone(w http.ResponseWriter, r *http.Request, p addressPage, done string, err error) error {
	status := http.StatusUnprocessableEntity
	switch {
	case errors.Is(err, account.ErrPassword):
		p.Miss, status = true, http.StatusForbidden
	case errors.Is(err, account.ErrAliasAddress):
		p.Problem = "invalid"
	case errors.Is(err, account.ErrAliasOwn):
		p.Problem = "own"
	case errors.Is(err, account.ErrAliasLimit):
		p.Problem = "limit"
	case errors.Is(err, account.ErrAliasOften):
		p.Problem = "often"
	default:
		return s.isSet(w, r, done, err)
	}
	p.Wrong = true
	return s.show(w, r, status, "settings-address", p)
}

// alias is an address of the settings page beside the account's own.
type alias struct {
	Address string
	Waiting bool
	Sent    time.Time // of the mail whose link it waits for
	Ends    time.Time
}

func aliasesOf(all []account.OtherAddress) (list []alias) {
	for _, a := range all {
		list = append(list, alias{Address: a.Address.String(), Waiting: !a.Asked.IsZero(), Sent: a.Asked, Ends: a.Ends})
	}
	return list
}
