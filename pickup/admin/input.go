package admin

import "fmt"

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
