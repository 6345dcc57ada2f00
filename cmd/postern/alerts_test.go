package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/pickup/admin"
)

// TestAlertsCommand: what needs a hand is said in sentences, by a server and by a store at rest.
func TestAlertsCommand(t *testing.T) {
	bothWays(t, func(t *testing.T, tr *trial, away, back func()) {
		tr.start()
		tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("alice@example.org", "bob@ext.example", "[secure] Plans", "<plans@example.org>", ""))
		link := tr.link(tr.await("bob@ext.example", "X-Postern-Origin: v1 notification"))
		tr.waitForEmptyQueue(t)
		if before := tr.must("alerts"); strings.Contains(before, "declined") {
			t.Errorf("before: %s", before)
		}
		bob := tr.person()
		bob.wantStatus(http.StatusOK, bob.post(link+"/not-for-me", "sure", "yes"))
		tr.await("alice@example.org", "X-Postern-Origin: v1 not-for-me")
		away()
		wantParts(t, tr.must("alerts"), "soon", "In the last week 1 message(s) were not meant for their readers")
		tr.refused(exitSetup, []string{"alerts", "now"}, "unknown command")
	})
}

// TestAlertTexts: every kind of alert has a sentence of its own, and says how urgent it is.
func TestAlertTexts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 9, 12, 0, 0, 0, time.UTC)
	for kind, parts := range map[admin.AlertKind][2]string{
		admin.AlertDisk: {"too full to take new mail", "600 MiB are left"}, admin.AlertStore: {"Nothing can be stored", "Nothing can be stored"},
		admin.AlertCertificate: {"listener smtp ended on 2026", "listener smtp ends on 2026"}, admin.AlertQueue: {"waiting since 2026", "629145600 wait in all"},
		admin.AlertMuted: {"stored key of smtp", "changed the store"}, admin.AlertDeclined: {"not meant for their readers", "message list --state declined"},
	} {
		for i, urgent := range []bool{true, false} {
			text := alertText(admin.Alert{Kind: kind, Urgent: urgent, Subject: "smtp", N: 600 << 20, At: at})
			if !strings.Contains(text, parts[i]) {
				t.Errorf("%s, urgent %t: %s", kind, urgent, text)
			}
		}
	}
	if text := alertText(admin.Alert{Kind: admin.AlertMuted, Urgent: true, N: 4}); !strings.Contains(text, "at least 4 more user(s)") {
		t.Errorf("users with a changed key beyond those named: %s", text)
	}
}
