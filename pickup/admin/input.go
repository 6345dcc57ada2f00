package admin

import (
	"fmt"
	"slices"
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

// oneOf refuses a word of a filter that is none of those that there are; "" does not select. *InputError.
func oneOf[T ~string](what string, typed T, words ...T) error {
	if typed == "" || slices.Contains(words, typed) {
		return nil
	}
	var all []string
	for _, w := range words {
		all = append(all, string(w))
	}
	return inputf("%s %q: there is only %s", what, string(typed), strings.Join(all, ", "))
}

// notNegative refuses a number of rows below 0. *InputError.
func notNegative(rows int) error {
	if rows < 0 {
		return inputf("limit %d: must not be negative", rows)
	}
	return nil
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
