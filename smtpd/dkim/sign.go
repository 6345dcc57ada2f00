package dkim

import (
	"crypto"
	"errors"
	"fmt"
	"io"

	"github.com/emersion/go-msgauth/dkim"
)

// ErrUnsignable is a message for which DKIM has no rule: one without an empty line behind its header.
var ErrUnsignable = errors.New("message cannot be signed")

// signed are the fields that a signature covers, each once more than it may stand there: nobody can add one (MAIL 6.9).
func signed() (names []string) {
	for _, name := range []string{
		"From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References", "MIME-Version", "Content-Type",
		"Auto-Submitted",
	} {
		names = append(names, name, name)
	}
	return names
}

// Sign reads a message and returns the fields that go before it, one for each key of the domain, CRLF included; nothing
// when there is none. rewind starts the message from its beginning. ErrUnsignable; an error of the reader as it is.
func (k *Keys) Sign(domain string, rewind func() (io.Reader, error)) (fields []byte, err error) {
	for _, key := range k.of(domain) {
		message, err := rewind()
		if err != nil {
			return nil, err
		}
		field, err := key.sign(message)
		if err != nil {
			return nil, fmt.Errorf("sign as %s: %w", key.recordName(), err)
		}
		fields = append(fields, field...)
	}
	return fields, nil
}

func (key loaded) sign(message io.Reader) (string, error) {
	s, err := dkim.NewSigner(&dkim.SignOptions{
		Domain: key.Domain, Selector: key.Selector, Signer: key.signer, Hash: crypto.SHA256, HeaderKeys: signed(),
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	})
	if err != nil {
		return "", err
	}
	src := &watched{r: message}
	_, copyErr := io.Copy(s, src)
	closeErr := s.Close() // also ends the signer's goroutine
	switch {
	case src.err != nil:
		return "", src.err
	case copyErr != nil || closeErr != nil:
		return "", errors.Join(ErrUnsignable, copyErr, closeErr)
	}
	return s.Signature(), nil
}

// watched remembers the error of the source, to tell it from one of the signer.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}
