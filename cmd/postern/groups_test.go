package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestB02SendersGroupByGroup: with `senders: invited` only people of an enabled group may send secure mail; others'
// flagged mail is refused with a clear text, and their ordinary mail passes. One list by the command line, bad rows named.
func TestB02SendersGroupByGroup(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "policy: {senders: invited}\n")
	send := func(from, subject string) error {
		return tr.trySend(from, []string{"bob@ext.example"}, letterText(from, "bob@ext.example", subject, "<"+subject[1:3]+from+">", ""))
	}
	list := filepath.Join(t.TempDir(), "finance.csv")
	if err := os.WriteFile(list, []byte("address,name,class\nalice@example.org,Alice,member\nbob@ext.example,Bob,member\nnobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr.must("group", "create", "Finance")
	wantParts(t, tr.must("group", "import", "Finance", list), "row 3: members are of the organisation", "row 4: there is no e-mail address", "1 good rows (1 members", "Nothing was changed")
	wantParts(t, tr.must("group", "import", "Finance", list, "--yes"), "1 people were added")
	if err := send("alice@example.org", "[secure] Before"); status(err) != [3]int{5, 7, 1} || !strings.Contains(err.Error(), "your address is not enabled for secure mail. Contact ICT Desk") {
		t.Errorf("before the group was enabled: %v", err)
	}
	wantParts(t, tr.must("group", "enable", "Finance"), "Invitations sent: 1, people who got no mail: 0, still waiting: 0.")
	wantParts(t, tr.must("group", "show", "finance"), "alice@example.org  member  invited     invited  Alice")
	if err := send("alice@example.org", "[secure] After"); err != nil {
		t.Errorf("an invited sender: %v", err)
	}
	if err := send("carol@example.org", "[secure] Carol"); status(err) != [3]int{5, 7, 1} {
		t.Errorf("somebody else: %v", err)
	}
	if err := send("carol@example.org", "Ordinary"); err != nil {
		t.Errorf("ordinary mail: %v", err)
	}
	mail := tr.await("alice@example.org", "/n/")
	alice := tr.person()
	token := string(mail.Raw)[strings.Index(string(mail.Raw), "/n/"):][:len("/n/")+37]
	alice.wantStatus(200, alice.get(token)).want(t, "Choose your password")
	alice.wantStatus(200, alice.post(token, "password", goodPassword, "password2", goodPassword, "reminder", ""))
	wantParts(t, tr.must("user", "show", "alice@example.org"), "active", "confirmed", "member")
	if err := send("alice@example.org", "[secure] As a user"); err != nil {
		t.Errorf("an active member: %v", err)
	}
	tr.must("user", "disable", "alice@example.org")
	if err := send("alice@example.org", "[secure] Disabled"); status(err) != [3]int{5, 7, 1} {
		t.Errorf("a disabled sender: %v", err)
	}
	wantParts(t, tr.must("group", "list"), "Finance", "1")
}
