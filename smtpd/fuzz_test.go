package smtpd

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/cmd/testnet"
)

// FuzzSession feeds a connection whatever comes. Nothing may panic, every reply must be a proper line, and a message
// may be taken only if its end was really there, and exactly once per "queued as".
func FuzzSession(f *testing.F) {
	env := "EHLO c.example\r\nMAIL FROM:<a@x.example> SIZE=10 RET=HDRS\r\nRCPT TO:<b@y.example> NOTIFY=NEVER\r\n"
	for _, s := range []string{
		"QUIT\r\n", env + "DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n", env + "BDAT 5 LAST\r\nabc\r\nQUIT\r\n",
		env + "BDAT 3\r\na\r\nBDAT 0 LAST\r\nRSET\r\n", env + "BDAT 9 LAST\r\nabc\r\n", env + "DATA\r\na\n.\r\n.\r\n",
		env + "DATA\r\na\r\n.\n" + env, env + "BDAT 3\r\na\r\nRSET\r\n" + env, "STARTTLS\r\n\x16\x03\x01", "HELO [127.0.0.1]\r\nVRFY x\r\nHELP\r\n",
		"\u017ftarttls\r\n", "GET / HTTP/1.1\r\n\r\n", "EHLO\r\nAUTH PLAIN\r\n*\r\n", env + "DATA\r\n.\r\nDATA\r\n", env + "DATA\r\n.0\r\n.\r\n", "\r\n\r\n\r\n\r\n\r\n",
		env + "BDAT 2 LAST\r\n\r\n" + "MAIL FROM:<\"a b\"@x>\r\nRCPT TO:<\r\n", env + "BDAT 00000000000000000005 LAST\r\nabc\r\n",
	} {
		f.Add([]byte(s))
	}
	fix := startInMemory(f)
	line := regexp.MustCompile(`^[2-5][0-9][0-9][ -][ -~]*\r\n$`)
	f.Fuzz(func(t *testing.T, input []byte) {
		before := len(fix.b.messages())
		transcript := fix.play(t, input)
		queued := 0
		for l := range strings.Lines(transcript) {
			if !line.MatchString(l) || len(l) > 300 {
				t.Fatalf("reply line %q", l)
			}
			if strings.HasPrefix(l, "250 2.0.0 Ok: queued as ") {
				queued++
			}
		}
		taken := fix.b.messages()[before:]
		if len(taken) != queued {
			t.Fatalf("%d taken, %d confirmed", len(taken), queued)
		}
		for _, m := range taken {
			checkTaken(t, string(input), m)
		}
		if bad := fix.log.events(t, "smtp library"); len(bad) > 0 {
			t.Fatalf("go-smtp had to complain: %v", bad)
		}
		fix.forget()
	})
}

// play sends input, ends it, and returns all that came back.
func (f *fixture) play(t *testing.T, input []byte) string {
	t.Helper()
	c, err := f.dial[0]()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Write(input) // an error shows in the transcript
		c.(*testnet.Conn).CloseWrite()
	}()
	transcript, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("the connection hangs: %v", err)
	}
	<-done
	return string(transcript)
}

// checkTaken demands that the input holds the message with its end.
func checkTaken(t *testing.T, input string, m accepted) {
	t.Helper()
	if strings.ContainsRune(m.body, 0) || strings.Contains(strings.ReplaceAll(m.body, "\r\n", ""), "\n") ||
		strings.Contains(strings.ReplaceAll(m.body, "\r\n", ""), "\r") || m.body != "" && !strings.HasSuffix(m.body, "\r\n") {
		t.Fatalf("taken %q", m.body)
	}
	unstuffed := strings.ReplaceAll(input, "\r\n.", "\r\n") // any first dot goes, doubled or not (RFC 5321 §4.5.2)
	byData := strings.Contains(input, "\r\n.\r\n") && strings.Contains(unstuffed, "\r\n"+m.body+"\r\n")
	byChunk := strings.Contains(strings.ToUpper(input), "LAST") && strings.Contains(strings.ToUpper(input), "BDAT")
	if !byData && !byChunk {
		t.Fatalf("taken without its end: %q", m.body)
	}
	if byChunk && !byData && strings.Count(strings.ToUpper(input), "BDAT") == 1 &&
		!strings.Contains(strings.ToUpper(input), fmt.Sprintf("%d", len(m.body))) {
		t.Fatalf("a chunk of another size: %q", m.body)
	}
}

// forget drops what was taken and logged, so that a long run does not grow.
func (f *fixture) forget() {
	f.b.mu.Lock()
	f.b.got = nil
	f.b.mu.Unlock()
	f.log.Reset()
	for len(f.b.failed) > 0 {
		<-f.b.failed
	}
}
