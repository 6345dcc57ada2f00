package admin

import (
	"fmt"
	"strings"

	"postern/store"
)

// InputError says what is wrong with something that was typed, in a sentence for whoever typed it. Nothing was changed.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap is the cause, where there is a sentinel.
func (e *InputError) Unwrap() error { return e.Err }

func inputf(format string, args ...any) error { return &InputError{fmt.Errorf(format, args...)} }

func input(err error) error {
	if err == nil {
		return nil
	}
	return &InputError{err}
}

// said is a sentence for people, and the cause that callers ask for by errors.Is.
type said struct {
	text  string
	cause error
}

func (e said) Error() string { return e.text }
func (e said) Unwrap() error { return e.cause }

func sayf(cause error, format string, args ...any) error {
	return said{fmt.Sprintf(format, args...), cause}
}

// readAddress reads a typed address. *InputError.
func readAddress(typed string) (store.Address, error) {
	typed = strings.TrimSpace(typed)
	a, err := store.ParseAddress(typed)
	switch {
	case typed == "":
		return a, input(sayf(err, "type an email address, such as joan@mail.example"))
	case err != nil:
		return a, input(sayf(err, "%q is not an email address such as joan@mail.example", typed))
	}
	return a, nil
}
