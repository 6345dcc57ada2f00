package console

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"postern/pickup/admin"
	"postern/pickup/web"
)

// Bounds of what is typed, in characters.
const (
	maxName   = 100
	maxReason = 200 // of a drop: it stands in a report and in the audit log
)

// trimmed is a field of one line as it was meant: without blanks around it, not too long, without control characters.
func trimmed(typed string, most int) string { return strings.TrimSpace(web.OneLine(typed, most)) }

// statusOf is the status of a page with a form.
func statusOf(wrong bool) int {
	if wrong {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// sentence is what an error says about something that was typed; "" for other errors.
func sentence(err error) string {
	if typed := new(admin.InputError); errors.As(err, &typed) {
		s := typed.Error()
		if first, _, _ := strings.Cut(s, " "); strings.Contains(first, "@") {
			return s // an address is not spelt otherwise
		}
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return ""
}

// problem is a mistake in a form: the id of its field and which of the page's texts says it.
type problem struct {
	Field, Kind, What string
	Line              int
}

// at is the first mistake at a field; nil: none.
func at(list []problem, field string) *problem {
	for i := range list {
		if list[i].Field == field {
			return &list[i]
		}
	}
	return nil
}

// day reads a date in the organisation's zone; zero when there is none.
func (c *Console) day(text, field string, problems *[]problem) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(time.DateOnly, text, c.Zone)
	if err != nil {
		*problems = append(*problems, problem{Field: field, Kind: "date", What: text})
	}
	return t
}

// text reads a field of an upload.
func text(part io.Reader, limit int64) (string, error) {
	value, err := io.ReadAll(io.LimitReader(part, limit+1))
	switch {
	case err != nil:
		return "", partError(err)
	case int64(len(value)) > limit, !utf8.Valid(value), strings.ContainsRune(string(value), 0):
		return "", errInvalid
	}
	return string(value), nil
}

// partError tells a body that is too large, which has a page of its own, from one that broke off.
func partError(err error) error {
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return err
	}
	return errInvalid
}

// proof is what stands in the fields of the template "proof".
func (c *Console) proof(r *http.Request, f map[string]string) admin.Proof {
	return admin.Proof{Password: f["password"], Code: f["code"], Client: c.client(r)}
}
