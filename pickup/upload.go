package pickup

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"unicode/utf8"

	"postern/pickup/account"
	"postern/store/mail"
)

// What can be wrong with an upload.
var (
	errTooMany  = errors.New("more files than a reply may have")
	errTooLarge = errors.New("the files are larger than a reply may be")
	errTextLong = errors.New("the text is longer than a reply may have")
	errBroken   = errors.New("the form broke off")
)

// maxPartHeader is how many octets the header of a part may have, with what stands before it. mime/multipart would read
// 10 MB of it into memory, for each part.
const maxPartHeader = 64 << 10

// maxField is how many octets the value of a small field of an upload may have: a password of the longest kind.
const maxField = 4 * account.MaxPassword

// upload reads a reply's form as it arrives. The text comes first, then the small fields, then the files, which are
// handed on one after the other and kept nowhere (I1): not in memory, not on disk.
type upload struct {
	limits  Limits
	head    *headReader
	form    *multipart.Reader
	text    string
	fields  map[string]string // the tick, and what somebody types who has to sign in again
	pending *multipart.Part   // first file, reached while looking for fields
	files   int
	octets  int64
	drain   io.Reader // the request's body
}

// newUpload reads the fields before the files.
func newUpload(r *http.Request, limits Limits) (*upload, error) {
	u := &upload{limits: limits, head: &headReader{ReadCloser: r.Body}, fields: map[string]string{}, drain: r.Body}
	r.Body = u.head
	form, err := r.MultipartReader()
	if err != nil {
		return nil, errInvalid
	}
	u.form = form
	seen := map[string]bool{}
	for {
		part, err := u.nextPart()
		if errors.Is(err, io.EOF) && seen["text"] {
			return u, nil
		}
		if err != nil {
			return u, partError(err)
		}
		name := part.FormName()
		if seen[name] || (name != "text") != seen["text"] {
			return u, errInvalid
		}
		seen[name] = true
		if name == "add" {
			u.pending = part
			return u, nil
		}
		if err := u.field(name, part); err != nil {
			return u, err
		}
	}
}

// headReader bounds what is read in search of the next part.
type headReader struct {
	io.ReadCloser
	bounded bool
	left    int64
}

func (h *headReader) Read(p []byte) (int, error) {
	if !h.bounded {
		return h.ReadCloser.Read(p)
	}
	if h.left <= 0 {
		return 0, errInvalid
	}
	n, err := h.ReadCloser.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}

// nextPart finds the next part of the form. The one before it has been read to its end.
func (u *upload) nextPart() (*multipart.Part, error) {
	u.head.bounded, u.head.left = true, maxPartHeader
	defer func() { u.head.bounded = false }()
	return u.form.NextPart()
}

func (u *upload) field(name string, part io.Reader) error {
	limit := int64(maxField)
	if name == "text" {
		limit = u.limits.Text
	}
	value, err := io.ReadAll(io.LimitReader(part, limit+1))
	switch {
	case err != nil:
		return partError(err)
	case !slices.Contains([]string{"text", "quote", "email", "password", "keep"}, name):
		return errInvalid
	case !utf8.Valid(value):
		return errInvalid
	case int64(len(value)) > limit && name == "text":
		u.text = string([]rune(string(value[:limit])))
		return errTextLong
	case int64(len(value)) > limit:
		return errInvalid
	case name == "text":
		u.text = string(value)
	default:
		u.fields[name] = string(value)
	}
	return nil
}

// partError tells a form that is none of ours, is too large or broke off from trouble of ours.
func partError(err error) error {
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return errTooLarge
	}
	if errors.Is(err, io.EOF) || errors.Is(err, errInvalid) || errors.Is(err, multipart.ErrMessageTooLarge) {
		return errInvalid
	}
	return errors.Join(errBroken, err)
}

// next yields the files, until io.EOF.
func (u *upload) next() (mail.Attachment, error) {
	for {
		part, err := u.part()
		if errors.Is(err, io.EOF) {
			return mail.Attachment{}, io.EOF
		}
		if err != nil {
			return mail.Attachment{}, err
		}
		if part.FormName() != "add" {
			return mail.Attachment{}, errInvalid
		}
		if part.FileName() == "" {
			continue // the field was left empty
		}
		if u.files++; u.files > u.limits.Files {
			return mail.Attachment{}, errTooMany
		}
		return mail.Attachment{Name: part.FileName(), Type: part.Header.Get("Content-Type"), Body: &fileReader{u, part}}, nil
	}
}

func (u *upload) part() (*multipart.Part, error) {
	if part := u.pending; part != nil {
		u.pending = nil
		return part, nil
	}
	part, err := u.nextPart()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, partError(err)
	}
	return part, err
}

// fileReader counts what all files together have.
type fileReader struct {
	u    *upload
	part io.Reader
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.part.Read(p)
	if f.u.octets += int64(n); f.u.octets > f.u.limits.Bytes {
		return 0, errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = partError(err)
	}
	return n, err
}

// finish reads what is left of the form, so that the browser gets to see the answer: it listens only after it has sent
// everything. The route's limit bounds that.
func (u *upload) finish() { _, _ = io.Copy(io.Discard, u.drain) }

// afterUpload finishes an upload before the answer begins.
type afterUpload struct {
	http.ResponseWriter
	u *upload
}

func (w *afterUpload) WriteHeader(status int) {
	w.u.finish()
	w.ResponseWriter.WriteHeader(status)
}

func (w *afterUpload) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// uploadLimit bounds a reply's request: what is allowed, room for the form around it, and as much again, so that a form
// that is only somewhat too large still gets its page.
func (s *Site) uploadLimit() int64 {
	const around = 1 << 20
	return 2*s.Limits.Bytes + s.Limits.Text + around
}
