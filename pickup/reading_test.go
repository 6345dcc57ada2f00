package pickup_test

import (
	"slices"
	"strings"
	"testing"
)

// What every page reads before and after its own part.
const (
	guestHead  = "link: Skip to main content; banner:; link: Example County Council Secure mail; navigation: Site; link: Help"
	memberHead = "link: Skip to main content; banner:; link: Example County Council Secure mail; navigation: Your account; " +
		"link: Inbox; link: Sent; link: Settings; link: Help; button: Sign out"
	foot = "contentinfo:; heading: Help desk; link: 01632 960 626; link: ict.desk@example.org; navigation: About this site; " +
		"heading: About this site; link: Help and questions; link: Supported browsers; link: Cookies; link: Accessibility; " +
		"link: How messages are sealed; combobox: Language; button: Change"
)

// TestB15ReadingOrder holds what a screen reader passes on its way through the pages of a first message, by the
// accessibility tree: landmarks, headings and controls in the order in which they are needed. That all other pages stand
// in the order in which they are read is held by TestLongWordsBreakNoPage.
func TestB15ReadingOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, _ := w.plant(joan, letter{subject: "The plan", text: "The text of the plan", html: "<p>The plan</p>"})
	tab := common.Browser(t).Tab(t)
	reads := func(page, head, part string) {
		t.Helper()
		want := slices.Concat(strings.Split(head, "; "), strings.Split(part, "; "), strings.Split(foot, "; "))
		if got := tab.Reading(); !slices.Equal(got, want) {
			t.Errorf("%s reads\n%s\nwant\n%s", page, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	tab.Go(w.server.URL + linkOf(first) + "?step=register")
	reads("the registration", guestHead, "navigation: Back; link: Back; main:; heading: Choose your password; textbox: Your email address; textbox: Password; "+
		"textbox: The same password again; region: What the password needs; heading: What the password needs; status:; "+
		"textbox: Reminder word or phrase; checkbox: Keep me logged in; button: Confirm and read; complementary: Good to know; "+
		"heading: Only you know your password; link: How messages are sealed; heading: If you forget it; link: A forgotten password; heading: Not your email password")
	tab.Fill("#pw", password)
	tab.Fill("#pw2", password)
	tab.Press("main .btn")
	reads("the message", memberHead, "navigation: Back; link: Inbox; main:; heading: The plan; link: Reply; link: Save as .eml; link: Print; region: Message; "+
		"navigation: View; link: As it was written; link: Plain text; Iframe: Message from Maria Lindqvist; link: Open on its own page; "+
		"complementary: Attachments and expiry; heading: Here until 10 July; heading: Sealed for you; link: How messages are sealed")
	tab.Go(w.server.URL + "/")
	reads("the inbox", memberHead, "main:; heading: Inbox; search:; searchbox: Search your messages; button: Search; "+
		"heading: New messages do not appear here by themselves yet; link: Paste the link of a mail; heading: Messages you can open; heading: The plan; link: The plan")
	tab.Press(".topnav form button")
	tab.Fill("#email", joan.String())
	tab.Fill("#password", "wrong")
	tab.Press("main .btn")
	reads("the refused sign-in", guestHead, "main:; alert: Error: You are not signed in; heading: Error: You are not signed in; link: Check the email address; "+
		"link: Type the password again; heading: Sign in; textbox: Email address; textbox: Password; checkbox: Keep me logged in; button: Sign in; "+
		"link: Forgot your password? Send a password reminder.; link: Change your password; link: 01632 960 626; link: ict.desk@example.org; "+
		"complementary: If you still cannot sign in; heading: If you still cannot sign in; heading: You received a message from the council; "+
		"link: supported browsers; heading: You work for Example County Council; link: 01632 960 626; link: ict.desk@example.org; heading: When you ask for help; button: Copy the details; status:")
}
