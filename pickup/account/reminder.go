package account

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxReminder is the longest reminder phrase in code points.
const MaxReminder = 200

// What is wrong with a reminder phrase (A3).
var (
	// ErrReminderHint: it contains the password or is contained in it.
	ErrReminderHint = errors.New("the reminder gives the password away")
	// ErrReminderLong: it has more than MaxReminder characters.
	ErrReminderLong = errors.New("the reminder is too long")
)

// cleanReminder brings a reminder phrase into the form in which it is kept: one line, without control characters.
func cleanReminder(s string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, normalize(strings.ToValidUTF8(s, " ")))
	return strings.Join(strings.Fields(visible), " ")
}

// checkReminder demands of a cleaned reminder that neither of it and the password holds the other, compared without
// case and blanks. An empty reminder is a choice.
func checkReminder(reminder, password string) error {
	if reminder == "" {
		return nil
	}
	if utf8.RuneCountInString(reminder) > MaxReminder {
		return ErrReminderLong
	}
	a, b := bare(reminder), bare(normalize(password))
	if strings.Contains(a, b) || strings.Contains(b, a) {
		return ErrReminderHint
	}
	return nil
}

func bare(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), "")) }
