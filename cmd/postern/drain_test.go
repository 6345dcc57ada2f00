package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// terminate sends SIGTERM without waiting.
func (tr *trial) terminate() {
	tr.t.Helper()
	if err := tr.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tr.t.Fatal(err)
	}
}

// ended waits for the end of the process, which must exit with 0.
func (tr *trial) ended() {
	tr.t.Helper()
	select {
	case err := <-tr.exited:
		if err != nil {
			tr.t.Errorf("the gateway ended with %v", err)
		}
	case <-time.After(time.Minute):
		tr.t.Fatal("the gateway does not end")
	}
	tr.cmd = nil
}

// intoData begins a message and stops in the middle of it.
func (d *dialogue) intoData(from, to, subject, id string) {
	d.t.Helper()
	d.say("EHLO mail.example.org", "250")
	d.say("MAIL FROM:<"+from+">", "250")
	d.say("RCPT TO:<"+to+">", "250")
	d.say("DATA", "354")
	d.write(string(letterText(from, to, subject, id, "")))
}

// TestDrain: at SIGTERM the clients that wait are told to come back, one inside a message gets its 250, the balancer
// sees 503, and the process exits with 0 as soon as nothing runs (MAIL 11.1).
func TestDrain(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "drain_timeout: 1m\n")
	idle, early, busy := tr.dialogue(), tr.dialogue(), tr.dialogue()
	idle.say("EHLO mail.example.org", "250")
	early.say("EHLO mail.example.org", "250")
	early.say("MAIL FROM:<alice@example.org>", "250")
	busy.intoData("alice@example.org", "bob@ext.example", "Late", "<late@example.org>")
	visitor := tr.person()
	visitor.get("/")

	tr.terminate()
	idle.hear("421 4.3.2 gateway.example.org")
	idle.closed()
	eventually(t, "readyz says 503", func() bool { return tr.readyz() == http.StatusServiceUnavailable })
	eventually(t, "no new connections", func() bool {
		conn, err := net.Dial("tcp", tr.smtp)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-tr.exited:
		t.Fatalf("it did not wait for the transaction: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	busy.write(".\r\n")
	busy.hear("250 2.0.0 Ok: queued as ")
	busy.hear("421 4.3.2")
	busy.closed()
	early.say("RCPT TO:<carol@ext.example>", "250") // a transaction that has begun may go on to its end
	early.say("DATA", "354")
	early.write("Subject: Early\r\n\r\nText\r\n.\r\n")
	early.hear("250 2.0.0 Ok: queued as ")
	early.hear("421 4.3.2")
	early.closed()
	tr.ended()
	tr.start()
	tr.await("bob@ext.example", "Subject: Late")
	tr.await("carol@ext.example", "Subject: Early")
}

// TestDrainCutsWhatIsSlow: what is not done when the time is over is cut; it was never answered with 250.
func TestDrainCutsWhatIsSlow(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "drain_timeout: 1s\n")
	slow := tr.dialogue()
	slow.intoData("alice@example.org", "bob@ext.example", "Never", "<never@example.org>")
	tr.terminate()
	tr.ended()
	rest, _ := io.ReadAll(slow.conn) // a cut connection may end with a reset
	if strings.Contains(string(rest), "250") {
		t.Errorf("a message that was cut got %q", rest)
	}
	wantParts(t, tr.log.String(), "cut off what was still running")
	tr.start()
	tr.refused(exitFailure, []string{"message", "trace", "<never@example.org>"}, "nothing is known of")
}

// TestDrainEndsDeliveries: a delivery under way gets its answer, and goes once; what had not begun waits for the next
// start.
func TestDrainEndsDeliveries(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "drain_timeout: 1m\n")
	far := tr.abroad()
	far.hold = make(chan struct{})
	far.up()
	tr.start()
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("alice@example.org", "bob@ext.example", "Under way", "<way@example.org>", ""))
	<-far.begun
	tr.terminate()
	eventually(t, "readyz says 503", func() bool { return tr.readyz() == http.StatusServiceUnavailable })
	close(far.hold)
	tr.ended()
	far.await("bob@ext.example", "Under way")
	tr.start()
	tr.waitForEmptyQueue(t)
	if n := len(far.capture.Mails()); n != 1 {
		t.Errorf("the mail went %d times", n)
	}
}

// TestDrainLetsPagesEnd: a reply that is being uploaded is taken.
func TestDrainLetsPagesEnd(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "drain_timeout: 1m\n")
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] First", "<first@example.org>", ""))
	bob := tr.person()
	message := bob.register(tr.link(tr.await("bob@ext.example", "X-Postern-Origin: v1 notification")))

	req := bob.request(http.MethodPost, message.url+"/reply", nil)
	const first, second = "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nHalf of ", "an answer.\r\n--b--\r\n"
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\nExpect: 100-continue\r\n",
		req.URL.Path, tr.site, bob.site, len(first)+len(second))
	for _, c := range bob.http.Jar.Cookies(req.URL) {
		head += "Cookie: " + c.String() + "\r\n"
	}
	conn, err := net.Dial("tcp", tr.site)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	lines := bufio.NewReader(conn)
	io.WriteString(conn, head+"\r\n")
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "100") { // the handler is reading
		t.Fatalf("%q, %v", line, err)
	}
	io.WriteString(conn, first)
	tr.terminate()
	eventually(t, "readyz says 503", func() bool { return tr.readyz() == http.StatusServiceUnavailable })
	io.WriteString(conn, second)
	lines.ReadString('\n') // the empty line of the 100
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "303") {
		t.Errorf("the reply was answered %q (%v)", line, err)
	}
	tr.ended()
	tr.start()
	tr.await("alice@example.org", "Half of an answer.")
}
