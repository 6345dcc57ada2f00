package console

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// Bounds of a dry run.
const (
	maxEML     = 64 << 20 // octets of the form; of the file only the header is kept, in memory
	maxRcpts   = 500
	maxRcptOct = 64 << 10
)

// policyPage is policy.html: the form of a dry run, and its answer.
type policyPage struct {
	page
	From     string // as typed
	Rcpts    string
	Problems []problem
	File     string // name of the file that was judged
	Dry      admin.DryRun
	Verdicts []admin.Verdict
	Count    struct{ Seal, Relay, Reject int }
}

// Problem is the first mistake at a field; nil: none.
func (p policyPage) Problem(field string) *problem { return at(p.Problems, field) }

func (c *Console) policy(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	return c.show(w, r, http.StatusOK, "policy", policyPage{page: c.page(r, who, "policy")})
}

// dryRun judges an uploaded message. The file is read as it arrives: its header is kept for this request, the rest
// nowhere.
func (c *Console) dryRun(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	w = web.Slide(w, r)
	p := policyPage{page: c.page(r, who, "policy")}
	if err := p.read(r); err != nil {
		return err
	}
	if p.check(); len(p.Problems) > 0 {
		p.Wrong = true
		return c.show(w, r, http.StatusUnprocessableEntity, "policy", p)
	}
	var err error
	if p.Verdicts, err = c.Admin.PolicyExplain(r.Context(), who.Actor, p.Dry); err != nil {
		return err
	}
	for _, v := range p.Verdicts {
		switch store.Action(v.Action) {
		case store.ActionSeal:
			p.Count.Seal++
		case store.ActionReject:
			p.Count.Reject++
		default:
			p.Count.Relay++
		}
	}
	return c.show(w, r, http.StatusOK, "policy", p)
}

// read takes the form's three fields in whatever order they come, each once.
func (p *policyPage) read(r *http.Request) error {
	form, err := r.MultipartReader()
	if err != nil {
		return errInvalid
	}
	seen := map[string]bool{}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return partError(err)
		}
		if seen[part.FormName()] {
			return errInvalid
		}
		seen[part.FormName()] = true
		if err := p.field(part); err != nil {
			return err
		}
	}
}

func (p *policyPage) field(part *multipart.Part) (err error) {
	switch part.FormName() {
	case "eml":
		return p.file(part)
	case "rcpts":
		p.Rcpts, err = text(part, maxRcptOct)
	case "from":
		const longest = 1 << 10
		p.From, err = text(part, longest)
		p.From = trimmed(p.From, longest)
	}
	return err
}

// file reads the header of the uploaded message and lets the rest pass.
func (p *policyPage) file(part *multipart.Part) error {
	if part.FileName() == "" {
		return nil // none was chosen
	}
	const longest = 120
	p.File = web.OneLine(part.FileName(), longest)
	dry, err := admin.ReadDryRun(part)
	if errors.Is(err, admin.ErrHeader) {
		p.Problems = append(p.Problems, problem{Field: "eml", Kind: "header"})
	} else if err != nil {
		return partError(err)
	}
	p.Dry = dry
	_, err = io.Copy(io.Discard, part)
	if err != nil {
		return partError(err)
	}
	return nil
}

// check puts what was typed in the place of what the file says, and finds the mistakes.
func (p *policyPage) check() {
	if p.File == "" {
		p.Problems = append(p.Problems, problem{Field: "eml", Kind: "file"})
		return
	}
	if p.From != "" {
		p.Dry.From = p.From
	}
	if _, err := store.ParseAddress(p.Dry.From); p.Dry.From != "" && err != nil {
		p.Problems = append(p.Problems, problem{Field: "from", Kind: "address", What: web.OneLine(p.Dry.From, maxReason)})
	}
	if typed := p.typed(); len(typed) > 0 {
		p.Dry.To = typed
	}
	switch n := len(p.Dry.To); {
	case n == 0 && len(p.Problems) == 0:
		p.Problems = append(p.Problems, problem{Field: "rcpts", Kind: "nobody"})
	case n > maxRcpts:
		p.Problems = append(p.Problems, problem{Field: "rcpts", Kind: "many"})
	}
}

// typed are the recipients of the form, one a line.
func (p *policyPage) typed() (to []string) {
	n := 0
	for line := range strings.Lines(p.Rcpts) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if _, err := store.ParseAddress(line); err != nil && at(p.Problems, "rcpts") == nil {
			p.Problems = append(p.Problems, problem{Field: "rcpts", Kind: "address", What: web.OneLine(line, maxReason), Line: n})
		}
		to = append(to, line)
	}
	return to
}
