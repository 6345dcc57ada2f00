package notify

import (
	"fmt"
	"time"

	"postern/store"
)

// AdminChange is what became of the access of an administrator.
type AdminChange string

// The changes that administrators are told of.
const (
	AdminCreated  AdminChange = "created"
	AdminReset    AdminChange = "reset" // a new set-up link in place of password and second factor
	AdminRole     AdminChange = "role"
	AdminDisabled AdminChange = "disabled"
	AdminEnabled  AdminChange = "enabled"
	AdminPassword AdminChange = "password" // by the administrator; told to that one alone
)

// AdminMail tells an administrator what became of an access to the console: the reader's own, if About is To, or another
// one's. It carries no link: who makes a set-up link hands it over.
type AdminMail struct {
	ID    store.MessageID // of the mail
	To    store.Address
	What  AdminChange
	About store.Address // whose access it is
	By    string        // address of who did it; empty: somebody at the command line
	Was   store.Role    // AdminRole: the role before
	Role  store.Role
	At    time.Time
}

const adminLead = "You did not expect this?"

// AdminChanged composes the mail to an administrator about a change of access. It is in English, as the console is.
func (c *Composer) AdminChanged(m AdminMail) (store.OwnMail, error) {
	text, err := m.text()
	if err != nil {
		return store.OwnMail{}, err
	}
	english := c.english()
	w := english.write("")
	w.subject = w.say(text.subject, c.org.Name, m.About.String())
	w.add(block{text: text.what})
	w.adminFacts(m)
	switch {
	case m.What == AdminPassword:
		w.asked(adminLead, "Then somebody else knows your old password and has used a session of yours. Have your access reset, by another administrator or with the command postern admin reset, and look at the audit log.")
	case m.By == "":
		w.asked(adminLead, "Ask those who run the gateway. If nobody there knows of it, somebody else has got at the machine.")
	default:
		w.asked(adminLead, "Ask who did it. If that person knows nothing of it, somebody else has that person's access: have it disabled, on the machine with the command postern admin disable, and look at the audit log.")
	}
	a := AccountMail{ID: m.ID, To: m.To, At: m.At}
	end := w.close("You get this mail because %[1]s has access to the administrators' console of %[2]s Secure Mail.", m.To.String(), c.org.Name)
	own, _, err := english.compose(english.accountSheet(w, a, store.KindAccount, end))
	return own, err
}

// english is a Composer of mails that are not translated.
func (c *Composer) english() *Composer {
	plain := *c
	plain.cat, plain.lang = English{}, english
	return &plain
}

// adminText is what a mail about an access says. 1: organisation, 2: whose access.
type adminText struct{ subject, what string }

func (m AdminMail) text() (adminText, error) {
	own, others := adminText{}, adminText{}
	switch m.What {
	case AdminCreated:
		others = adminText{"%[2]s was given access to the console of %[1]s Secure Mail",
			"An access to the administrators' console was made. It can be used once its set-up link was followed, within a day."}
	case AdminReset:
		own = adminText{"Your access to the console of %[1]s Secure Mail was reset",
			"Your password and your second factor for the administrators' console no longer work, and you are signed out. A new set-up link was made, which works once within a day. Whoever made it hands it to you; it is not in this mail."}
		others = adminText{"The access of %[2]s to the console of %[1]s Secure Mail was reset",
			"Password and second factor of an administrator no longer work. A new set-up link was made, which works once within a day: whoever has it chooses new ones."}
	case AdminRole:
		own = adminText{"Your role in the console of %[1]s Secure Mail was changed",
			"You are signed out of the administrators' console. The new role holds from the next sign-in on."}
		others = adminText{"The role of %[2]s in the console of %[1]s Secure Mail was changed",
			"An administrator has another role. It holds from the next sign-in on."}
	case AdminDisabled:
		own = adminText{"Your access to the console of %[1]s Secure Mail was disabled",
			"You are signed out of the administrators' console, and cannot sign in until your access is enabled again."}
		others = adminText{"The access of %[2]s to the console of %[1]s Secure Mail was disabled",
			"An administrator is signed out, and cannot sign in until the access is enabled again."}
	case AdminEnabled:
		own = adminText{"Your access to the console of %[1]s Secure Mail was enabled again",
			"You can sign in to the administrators' console as before."}
		others = adminText{"The access of %[2]s to the console of %[1]s Secure Mail was enabled again",
			"An administrator who was disabled can sign in as before."}
	case AdminPassword:
		own = adminText{"Your password for the console of %[1]s Secure Mail was changed",
			"Your other sessions of the administrators' console have ended. Your second factor is as it was."}
		others = own
	default:
		return own, fmt.Errorf("compose mail to an administrator: no such change: %q", m.What)
	}
	if m.About.Key() == m.To.Key() {
		return own, nil
	}
	return others, nil
}

func (w *writer) adminFacts(m AdminMail) {
	whose, by := w.fact("Whose access", ""), w.fact("Done by", "")
	whose.address, by.address = m.About.String(), m.By
	if m.By == "" {
		by.value = "somebody at the command line of the gateway"
	}
	facts := []fact{whose}
	if m.What == AdminRole {
		facts = append(facts, w.fact("Role before", roleName(m.Was)))
	}
	if m.What == AdminRole || m.What == AdminCreated {
		facts = append(facts, w.fact("Role", roleName(m.Role)))
	}
	w.add(block{facts: append(facts, by, w.fact(phraseTime, w.date(m.At)))})
}

// roleName is a role as the console names it.
func roleName(r store.Role) string {
	switch r {
	case store.RoleAdmin:
		return "Administrator"
	case store.RoleHelpDesk:
		return "Help desk"
	case store.RoleAuditor:
		return "Auditor"
	}
	return string(r)
}
