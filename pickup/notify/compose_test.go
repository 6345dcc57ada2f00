package notify

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"postern/store"
	"postern/store/mail"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	testLink = "https://secure-mail.example.org/p/1000g40r40m30e209185gr38e1w8124gk9d90"
	origID   = "<orig-1@mail.example.org>"
	firstID  = "<m3zkq7d0h5vw2xj8c1tb6n4yra@gateway.example.org>"
)

var (
	sentAt    = time.Date(2026, 6, 9, 9, 42, 7, 0, time.UTC)
	expiresAt = time.Date(2026, 7, 9, 22, 59, 0, 0, time.UTC)
	aboutKey  = store.RcptKey{Message: store.MessageID{1, 2, 3}, N: 2}
	ownID     = store.MessageID{4, 5, 6}
)

func address(t testing.TB, s string) store.Address {
	t.Helper()
	a, err := store.ParseAddress(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return a
}

func testConfig(t testing.TB) Config {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Org: Organization{Name: "Example County Council", Short: "the council", Domains: []string{"example.org"},
			Support:       Support{Desk: "ICT Customer Services Desk", Phone: "01632 960 626", Email: "desk@example.org", URL: "https://help.example.org", Hours: "Monday to Friday, 8:30 to 17:00"},
			PostalAddress: "County Hall, 1 Market Place, Exampleton ZZ99 1AA", Postmaster: "postmaster@example.org"},
		Tags: []string{"secure", "encrypt"},
		From: address(t, "securemail@example.org"), Host: "gateway.example.org", SiteURL: "https://secure-mail.example.org",
		Zone: zone, Now: func() time.Time { return sentAt },
	}
}

func newComposer(t testing.TB, change func(*Config)) *Composer {
	t.Helper()
	cfg := testConfig(t)
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testNotice(t testing.TB) Notice {
	t.Helper()
	sender := address(t, "maria.lindqvist@example.org")
	return Notice{ID: ownID, About: aboutKey, To: store.Rcpt{Address: address(t, "joan.hartley@mail.example"), ORcpt: "rfc822;joan.hartley@mail.example"},
		Author: mail.Mailbox{Name: "Maria Lindqvist", Address: sender}, Sender: &sender, Link: testLink, Sent: sentAt, Expires: expiresAt,
		Original: store.Excerpt{From: "maria.lindqvist@example.org", Subject: "[secure] Care plan", MessageID: origID}}
}

func testEvent(t testing.TB) Event {
	t.Helper()
	return Event{ID: ownID, About: aboutKey, To: address(t, "maria.lindqvist@example.org"), Recipient: address(t, "joan.hartley@mail.example"),
		MessageID: origID, Sent: sentAt, At: expiresAt}
}

func testAccount(t testing.TB) AccountMail {
	t.Helper()
	return AccountMail{ID: ownID, To: address(t, "joan.hartley@mail.example"), Browser: "Firefox on Windows", At: sentAt}
}

// mails are all the mails of this package in their usual and unusual forms. Each function composes one from the given
// author, so that the same table serves the hostile names.
func mails(t testing.TB, author mail.Mailbox) map[string]func(*Composer) (store.OwnMail, error) {
	notice := func(change func(*Notice)) func(*Composer) (store.OwnMail, error) {
		return func(c *Composer) (store.OwnMail, error) {
			n := testNotice(t)
			n.Author = author
			if change != nil {
				change(&n)
			}
			m, _, err := c.Notification(n)
			return m, err
		}
	}
	reminder := func(change func(*Reminder)) func(*Composer) (store.OwnMail, error) {
		return func(c *Composer) (store.OwnMail, error) {
			r := Reminder{Notice: testNotice(t), First: firstID, FirstSent: sentAt}
			r.Author, r.Link = author, ""
			change(&r)
			return c.Reminder(r)
		}
	}
	account := func(f func(*Composer, AccountMail) (store.OwnMail, error), link string) func(*Composer) (store.OwnMail, error) {
		return func(c *Composer) (store.OwnMail, error) {
			a := testAccount(t)
			a.Link, a.Browser = link, author.Name
			if author.Name == "Maria Lindqvist" {
				a.Browser = "Firefox on Windows"
			}
			return f(c, a)
		}
	}
	recovery := func(f func(*Composer, RecoveryMail) (store.OwnMail, error), kind, secret string) func(*Composer) (store.OwnMail, error) {
		return func(c *Composer) (store.OwnMail, error) {
			r := RecoveryMail{AccountMail: testAccount(t), Until: sentAt.Add(24 * time.Hour), Secret: secret}
			r.Browser = "Firefox on Windows"
			if kind != "" {
				r.Link = strings.Replace(testLink, "/p/", "/"+kind+"/", 1)
			}
			return f(c, r)
		}
	}
	invite := func(from *mail.Mailbox, member bool) func(*Composer) (store.OwnMail, error) {
		return func(c *Composer) (store.OwnMail, error) {
			m := InvitationMail{AccountMail: testAccount(t), From: from, Until: expiresAt, Member: member}
			m.Link = strings.Replace(testLink, "/p/", "/n/", 1)
			return c.Invitation(m)
		}
	}
	alias := func(f func(*Composer, AliasMail) (store.OwnMail, error), link string) func(*Composer) (store.OwnMail, error) {
		return func(c *Composer) (store.OwnMail, error) {
			a := AliasMail{AccountMail: testAccount(t), Account: address(t, "joan.hartley@mail.example"), Alias: address(t, "joan@hartley-family.example"),
				Until: sentAt.Add(7 * 24 * time.Hour)}
			a.Link = link
			if author.Name != "Maria Lindqvist" {
				a.Browser = author.Name
			}
			if link != "" {
				a.To = a.Alias
			}
			return f(c, a)
		}
	}
	access := func(what AdminChange, own bool) func(*Composer) (store.OwnMail, error) {
		return func(c *Composer) (store.OwnMail, error) {
			m := AdminMail{ID: ownID, To: address(t, "dana.okafor@example.org"), What: what, About: address(t, "priya.nair@example.org"),
				By: "dana.okafor@example.org", Was: store.RoleHelpDesk, Role: store.RoleAdmin, At: sentAt}
			if own {
				m.To = m.About
			}
			switch {
			case what == AdminReset && !own:
				m.By = ""
			case what == AdminPassword:
				m.By = m.About.String()
			}
			return c.AdminChanged(m)
		}
	}
	phrase := author.Name
	if phrase == "Maria Lindqvist" {
		phrase = "What stood on the windowsill"
	}
	return map[string]func(*Composer) (store.OwnMail, error){
		"password-reminder":      recovery((*Composer).PasswordReminder, "", phrase),
		"password-reminder-none": recovery((*Composer).PasswordReminder, "", ""),
		"activate-password":      recovery((*Composer).ActivatePassword, "v", ""),
		"reset-password":         recovery((*Composer).ResetPassword, "r", ""),
		"temporary-password":     recovery((*Composer).TemporaryPassword, "", "wg4q-00x7-3zzm-9k1d"),
		"invitation":             invite(nil, false),
		"invitation-member":      invite(&author, true),
		"invitation-member-untagged": func(c *Composer) (store.OwnMail, error) {
			untagged := *c
			untagged.tag = ""
			return invite(nil, true)(&untagged)
		},
		"notification":          notice(nil),
		"notification-in-inbox": notice(func(n *Notice) { n.InInbox = true }),
		"notification-blind":    notice(func(n *Notice) { n.Blind = true }),
		"notification-external": notice(func(n *Notice) { n.External = true }),
		"notification-nameless": notice(func(n *Notice) { n.Author.Name = "" }),
		"notification-outsider": notice(func(n *Notice) { n.External, n.Author.Name, n.NoReply = true, "", true }),
		"notification-role":     notice(func(n *Notice) { n.To.Address = address(t, "info@mail.example"); n.NoReply = true }),
		"notification-code": func(c *Composer) (store.OwnMail, error) {
			byCode := *c
			byCode.first = store.AccessCode
			return notice(func(n *Notice) { n.To.Address = address(t, "info@mail.example") })(&byCode)
		},
		"notification-unlimited": notice(func(n *Notice) { n.Expires = time.Time{} }),
		"reminder":               reminder(func(*Reminder) {}),
		"reminder-sign-in":       reminder(func(r *Reminder) { r.Link = "https://secure-mail.example.org/m/" + aboutKey.Message.String() }),
		"reminder-external":      reminder(func(r *Reminder) { r.External = true }),
		"not-for-me":             func(c *Composer) (store.OwnMail, error) { return c.NotForMe(testEvent(t)) },
		"expired-unread":         func(c *Composer) (store.OwnMail, error) { return c.ExpiredUnread(testEvent(t)) },
		"welcome":                account((*Composer).Welcome, strings.Replace(testLink, "/p/", "/w/", 1)),
		"password-changed":       account((*Composer).PasswordChanged, ""),
		"alias-asked":            alias((*Composer).AliasAsked, strings.Replace(testLink, "/p/", "/a/", 1)),
		"alias-added":            alias((*Composer).AliasAdded, ""),
		"alias-merged": alias(func(c *Composer, a AliasMail) (store.OwnMail, error) {
			a.To = a.Alias
			return c.AccountMerged(a)
		}, ""),
		"alias-removed": alias((*Composer).AliasRemoved, ""),
		"address-freed": alias(func(c *Composer, a AliasMail) (store.OwnMail, error) {
			a.To, a.Browser = a.Alias, ""
			return c.AddressFreed(a)
		}, ""),
		"first-password": func(c *Composer) (store.OwnMail, error) {
			return c.FirstPassword(FirstPasswordMail{ID: ownID, To: address(t, "joan.hartley@mail.example"), Author: author, Password: "k3m7-x9p2-r4t6-w8z0", Until: expiresAt})
		},
		"password-chosen": account((*Composer).PasswordChosen, ""),
		"notification-first-password": func(c *Composer) (store.OwnMail, error) {
			first := *c
			first.first = store.AccessTemporary
			return notice(nil)(&first)
		},
		"code": func(c *Composer) (store.OwnMail, error) {
			m := CodeMail{AccountMail: testAccount(t), Code: "40718263", Mark: "K M", Author: author, Ends: sentAt.Add(15 * time.Minute)}
			if author.Name != "Maria Lindqvist" {
				m.Browser = author.Name
			}
			return c.Code(m)
		},
		"admin-created":        access(AdminCreated, false),
		"admin-reset":          access(AdminReset, true),
		"admin-reset-other":    access(AdminReset, false),
		"admin-role":           access(AdminRole, true),
		"admin-role-other":     access(AdminRole, false),
		"admin-disabled":       access(AdminDisabled, true),
		"admin-disabled-other": access(AdminDisabled, false),
		"admin-enabled":        access(AdminEnabled, true),
		"admin-enabled-other":  access(AdminEnabled, false),
		"admin-password":       access(AdminPassword, true),
		"disowned":             account((*Composer).Disowned, ""),
		"account-shut": func(c *Composer) (store.OwnMail, error) {
			a := testAccount(t)
			a.Browser = ""
			return c.AccountShut(a)
		},
		"reply-not-delivered-code": func(c *Composer) (store.OwnMail, error) {
			return c.ReplyNotDelivered(ReplyFailure{ID: ownID, About: aboutKey, To: address(t, "joan.hartley@mail.example"), Recipient: author, Written: sentAt, At: expiresAt, Visit: true})
		},
		"reply-not-delivered": func(c *Composer) (store.OwnMail, error) {
			return c.ReplyNotDelivered(ReplyFailure{ID: ownID, About: aboutKey, To: address(t, "joan.hartley@mail.example"), Recipient: author, Written: sentAt, At: expiresAt})
		},
	}
}

func maria(t testing.TB) mail.Mailbox {
	t.Helper()
	return mail.Mailbox{Name: "Maria Lindqvist", Address: address(t, "maria.lindqvist@example.org")}
}

// read takes a composed mail apart as a mail program does.
type read struct {
	header mail.Header
	text   string // decoded, LF
	html   string
	// encoding of the text part
	encoding string
}

func readMail(t testing.TB, raw []byte) read {
	t.Helper()
	var r read
	var err error
	if r.header, _, err = mail.ReadHeader(bufio.NewReader(bytes.NewReader(raw)), 1<<20); err != nil {
		t.Fatal(err)
	}
	x := mail.NewIndexer()
	x.Write(raw)
	x.Close()
	for _, p := range x.Parts() {
		section := io.NewSectionReader(bytes.NewReader(raw), p.Offset, p.Length)
		body, err := io.ReadAll(mail.DecodeCharset(mail.DecodePart(section, p.Encoding), p.Charset))
		if err != nil {
			t.Fatal(err)
		}
		content := strings.ReplaceAll(string(body), "\r\n", "\n")
		switch p.Type {
		case "text/plain":
			r.text, r.encoding = content, p.Encoding
		case "text/html":
			r.html = content
		}
	}
	if r.text == "" {
		t.Fatalf("no text part in\n%s", raw)
	}
	return r
}

var (
	randomID       = regexp.MustCompile(`[0-9a-z]{26}@gateway\.example\.org`)
	randomBoundary = regexp.MustCompile(`=_[0-9a-z]{20,}`)
)

// golden compares got with a file; random parts must have been taken out.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not as the golden file says (go test -update rewrites it):\n%s", name, got)
	}
}

func TestGoldenMails(t *testing.T) {
	t.Parallel()
	c := newComposer(t, nil)
	for name, compose := range mails(t, maria(t)) {
		t.Run(name, func(t *testing.T) {
			m, err := compose(c)
			if err != nil {
				t.Fatal(err)
			}
			raw := randomBoundary.ReplaceAll(m.Raw, []byte("=_boundary"))
			raw = bytes.Replace(raw, randomID.Find(raw), []byte("random@gateway.example.org"), 1)
			parts := readMail(t, m.Raw)
			for _, once := range []string{"\nHelp: ", "County Hall, 1 Market Place"} {
				if strings.Count(parts.text, once) > 1 {
					t.Errorf("the foot says %q twice:\n%s", once, parts.text)
				}
			}
			golden(t, name+".eml", raw)
			golden(t, name+".txt", []byte(parts.text))
			golden(t, name+".html", []byte(parts.html))
		})
	}
}
