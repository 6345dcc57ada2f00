package policy

import (
	"fmt"
	"strings"
	"testing"

	"postern/store"
	"postern/store/mail"
)

// TestI8RulesReadAHeaderOnce: what a rule says of the message is looked up once, however many recipients there are.
func TestI8RulesReadAHeaderOnce(t *testing.T) {
	const fields, rcpts = 100, 101
	p := compile(t, Config{Rules: []Rule{
		{Name: "a", Match: Match{Subject: []string{"nowhere"}}, Action: "seal"},
		{Name: "b", Match: Match{Header: []NameValue{{"X-Mark", "nothing"}}}, Action: "seal"},
		{Name: "c", Match: Match{Sensitivity: []string{"never"}}, Action: "seal"},
	}})
	raw := "From: a@example.org\r\n" + strings.Repeat("Subject: Some words\r\nX-Mark: word\r\nSensitivity: Private\r\n", fields)
	h := mail.ParseHeader([]byte(raw + "\r\n"))
	cost := func(n int) float64 {
		in := Input{Header: h}
		for i := range n {
			in.Env.Rcpts = append(in.Env.Rcpts, store.Rcpt{Address: store.Address{Local: fmt.Sprint("u", i), Domain: "ext.example"}})
		}
		return testing.AllocsPerRun(1, func() { p.Decide(in) })
	}
	if each := (cost(rcpts) - cost(1)) / (rcpts - 1); each > fields/2 {
		t.Errorf("%.0f allocations for one more recipient", each)
	}
}
