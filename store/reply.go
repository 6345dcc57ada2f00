package store

import "fmt"

// ReplyError is a refusal with its SMTP reply (MAIL §5). An edge that answers in SMTP uses it as it is, adding only a
// reference; the site uses Text.
type ReplyError struct {
	Code     int    // RFC 5321 reply code; 4xx is temporary
	Enhanced [3]int // RFC 3463 status
	Text     string // ASCII, one line, without reference
	Err      error  // cause for the log; never sent
}

// Reply makes a ReplyError.
func Reply(code int, enhanced [3]int, text string) *ReplyError {
	return &ReplyError{Code: code, Enhanced: enhanced, Text: text}
}

func (e *ReplyError) Error() string {
	s := fmt.Sprintf("%d %s %s", e.Code, e.Status(), e.Text)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ReplyError) Unwrap() error { return e.Err }

// Status is the enhanced code in text, such as "5.7.1".
func (e *ReplyError) Status() string {
	return fmt.Sprintf("%d.%d.%d", e.Enhanced[0], e.Enhanced[1], e.Enhanced[2])
}

// Temporary reports whether trying again later may help.
func (e *ReplyError) Temporary() bool { return e.Code/100 == 4 }

// With returns the same refusal with a cause for the log.
func (e *ReplyError) With(err error) *ReplyError {
	c := *e
	c.Err = err
	return &c
}
