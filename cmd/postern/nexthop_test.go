package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestNextHopDown: while the next hop of sealed mail is down, its queue grows and the sender hears of the delay with
// the time until which it is tried (MAIL §7); mail elsewhere is not held up (I5), and when the hop comes back all of it
// arrives.
func TestNextHopDown(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "notify: {delay_notice: 1s}\n")
	far := tr.abroad()
	tr.start()
	const n = 5
	for i := range n {
		to := fmt.Sprintf("r%d@ext.example", i)
		tr.send(t, "alice@example.org", []string{to}, letterText("Alice <alice@example.org>", to, "[secure] Plans for you", fmt.Sprintf("<p%d@example.org>", i), ""))
	}
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("alice@example.org", "bob@ext.example", "Ordinary", "<ordinary@example.org>", ""))
	tr.send(t, "alice@example.org", []string{"dave@example.org"}, letterText("alice@example.org", "dave@example.org", "Near", "<near@example.org>", ""))
	tr.await("dave@example.org", "Subject: Near")
	eventually(t, "the queue grows", func() bool { return strings.Contains(tr.metrics(t), fmt.Sprintf("\npostern_queue_items %d\n", n+1)) })
	eventually(t, "the hop counts as down", func() bool {
		return strings.Contains(tr.metrics(t), `postern_next_hop_down{route="ext.example"} 1`)
	})

	time.Sleep(1100 * time.Millisecond) // the delay that the sender is told of
	tr.must("queue", "retry", tr.itemOf("r0@ext.example"))
	report := string(tr.await("alice@example.org", "Action: delayed").Raw)
	wantParts(t, report, "Final-Recipient: rfc822; r", "@ext.example", "Status: 4.4.", "Will-Retry-Until: ", "Auto-Submitted: auto-replied",
		"multipart/report", "Subject: [secure] Plans for you")
	if strings.Contains(report, "A few words") || strings.Contains(report, "/p/") {
		t.Errorf("the report quotes the message or its link:\n%s", report)
	}

	far.up()
	tr.must("queue", "retry", tr.itemOf("bob@ext.example"))
	far.await("bob@ext.example", "Subject: Ordinary")
	for i := range n {
		far.await(fmt.Sprintf("r%d@ext.example", i), "X-Postern-Origin: v1 notification")
	}
	tr.waitForEmptyQueue(t)
	wantParts(t, tr.metrics(t), `postern_next_hop_down{route="ext.example"} 0`)
	if trace := tr.must("message", "trace", "<p0@example.org>"); !strings.Contains(trace, "notified since") {
		t.Errorf("after the delay:\n%s", trace)
	}
	for _, m := range tr.capture.Mails() {
		if strings.Contains(string(m.Raw), "Action: failed") {
			t.Errorf("a failure was reported:\n%s", m.Raw)
		}
	}
}
