package pickup

import (
	"errors"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/frequency"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
)

// registerPage is register.html: the first password of an address.
type registerPage struct {
	page
	Link     string
	To       string
	Rules    rules
	Weak     bool // a criterion fails
	Differ   bool // the two fields differ (C12)
	Reminder struct{ Text, Problem string }
}

// rules is the list of criteria with what the script needs to tick it while one types (C11).
type rules struct {
	Min, Max, Long int
	Bits           int    // of guesses that a password must need
	Own            string // words that may not occur, blank between
	Common         string // hashes of often used passwords, blank between
	List           []rule
}

// rule is one line of the list; State is met, unmet, or empty where nothing was typed yet.
type rule struct{ ID, State string }

// guessBits is 10^10 guesses (KEYS K13) in bits, rounded up.
const guessBits = 34

// commonHashes are FNV-1a hashes of the often used passwords that are long enough to be chosen. The page's script finds
// them by these; the words themselves are not fit for a page.
func commonHashes() string {
	var hashes []string
	for _, p := range frequency.Lists["Passwords"].List {
		if utf8.RuneCountInString(p) >= account.MinPassword {
			h := fnv.New32a()
			h.Write([]byte(p))
			hashes = append(hashes, strconv.FormatUint(uint64(h.Sum32()), 16))
		}
	}
	return strings.Join(hashes, " ")
}

// same is the criterion of the page itself: both fields hold the same.
const same = "same"

func (s *Site) registerForm(r *http.Request, l link) registerPage {
	about := []string{l.cover.To.String()}
	p := registerPage{page: s.page(r, account.Signed{}), Link: l.path, To: l.cover.To.String()}
	p.Path = l.path
	p.Rules = rules{Min: account.MinPassword, Max: account.MaxPassword, Long: account.LongPassword, Bits: guessBits,
		Own: strings.Join(s.Accounts.OwnWords(about), " "), Common: s.common}
	for _, c := range s.Accounts.Criteria("", about) {
		p.Rules.List = append(p.Rules.List, rule{ID: c.ID})
	}
	p.Rules.List = append(p.Rules.List, rule{ID: same})
	return p
}

// judge marks the criteria for what was typed. What was typed is not shown again.
func (p *registerPage) judge(criteria []account.Criterion, equal bool) {
	p.Wrong, p.Differ = true, !equal
	state := map[bool]string{true: "met", false: "unmet"}
	met := map[string]bool{same: equal}
	for _, c := range criteria {
		met[c.ID] = c.Met
		p.Weak = p.Weak || !c.Met
	}
	for i, c := range p.Rules.List {
		if ok, known := met[c.ID]; known {
			p.Rules.List[i].State = state[ok]
		}
	}
}

// registerAt makes the account of a link's address. done: an answer was written.
func (s *Site) registerAt(w http.ResponseWriter, r *http.Request, l link, f map[string]string) (account.Signed, bool, error) {
	p := s.registerForm(r, l)
	if f["step"] != "register" && f["password"] == "" && f["password2"] == "" {
		return account.Signed{}, true, s.show(w, r, http.StatusOK, "register", p)
	}
	p.Reminder.Text = web.OneLine(f["reminder"], account.MaxReminder)
	criteria := s.Accounts.Criteria(f["password"], []string{p.To})
	if f["password"] != f["password2"] || anyFails(criteria) {
		p.judge(criteria, f["password"] == f["password2"])
		return account.Signed{}, true, s.show(w, r, http.StatusUnprocessableEntity, "register", p)
	}
	who, err := s.Accounts.Register(r.Context(), account.Registration{Secret: l.secret, Password: f["password"],
		Reminder: f["reminder"], Language: web.Lang(r.Context()), Keep: s.keep(f), Client: s.client(r)})
	if err == nil {
		return who, false, nil
	}
	return who, true, s.notRegistered(w, r, l, p, err)
}

// notRegistered answers for a registration that the rules refused.
func (s *Site) notRegistered(w http.ResponseWriter, r *http.Request, l link, p registerPage, err error) error {
	weak := new(account.CriteriaError)
	switch {
	case errors.As(err, &weak):
		p.judge(weak.Failed, true)
	case errors.Is(err, account.ErrReminderHint):
		p.Wrong, p.Reminder.Problem = true, "hint"
	case errors.Is(err, account.ErrReminderLong):
		p.Wrong, p.Reminder.Problem = true, "long"
	case errors.Is(err, account.ErrHasAccount): // made meanwhile, perhaps by this very form sent twice
		return s.show(w, r, http.StatusConflict, "sign-in", s.linkSignIn(r, l))
	case errors.Is(err, account.ErrSignIn): // disabled (KEYS K9)
		return s.showSignInError(w, r, s.linkSignIn(r, l), p.To)
	case errors.Is(err, account.ErrUnknownLink):
		return s.badLink(w, r, err)
	case errors.Is(err, account.ErrLinkOver):
		return s.overMeanwhile(w, r, l)
	default:
		return err
	}
	return s.show(w, r, http.StatusUnprocessableEntity, "register", p)
}

// overMeanwhile shows how a message ended while its page was open.
func (s *Site) overMeanwhile(w http.ResponseWriter, r *http.Request, l link) error {
	cover, err := s.Messages.Link(r.Context(), l.secret)
	if err != nil {
		return s.badLink(w, r, err)
	}
	if cover.Live() {
		return store.ErrConflict
	}
	l.cover = cover
	return s.showOver(w, r, l, account.Signed{})
}

func anyFails(criteria []account.Criterion) bool {
	for _, c := range criteria {
		if !c.Met {
			return true
		}
	}
	return false
}
