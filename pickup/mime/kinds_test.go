package mime

import (
	"testing"
	"time"
	_ "time/tzdata"

	"postern/store/mail"
)

func TestEncryptedMessagesAreRecognised(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, raw string
		want      Encryption
	}{
		{"plain", part("text/plain", "x"), ""},
		{"s/mime", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n\nMIAG", SMIME},
		{"s/mime without kind", "Content-Type: application/x-pkcs7-mime; name=smime.p7m\n\nMIAG", SMIME},
		{"s/mime, opaque signature", "Subject: x\nContent-Type: application/pkcs7-mime;\n smime-type=\"signed-data\"; name=smime.p7m\n\nMIAG", ""},
		{"s/mime, detached signature", multi("signed", part("text/plain", "x"), part("application/pkcs7-signature", "y")), ""},
		{"s/mime below a list footer", multi("mixed", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nMIAG", part("text/plain", "footer")), SMIME},
		{"pgp/mime", multi("encrypted", part("application/pgp-encrypted", "Version: 1"), part("application/octet-stream", "x")), PGP},
		{"pgp inline", part("text/plain", "Hello\n-----BEGIN PGP MESSAGE-----\n\nhQ\n-----END PGP MESSAGE-----"), PGP},
		{"pgp inline in latin-1", part("text/plain; charset=iso-8859-1", "-----BEGIN PGP MESSAGE-----\n\nhQ"), PGP},
		{"pgp signed", part("text/plain", "-----BEGIN PGP SIGNED MESSAGE-----\n\nx"), ""},
		{"quoted pgp", part("text/plain", "> -----BEGIN PGP MESSAGE-----"), ""},
	} {
		b, parts := sealed(t, tc.raw)
		if got := Encrypted(b, parts); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		if got := SignedOpaque(b, parts); got != (tc.name == "s/mime, opaque signature") {
			t.Errorf("%s: opaque signature %v", tc.name, got)
		}
	}
}

func TestWinmailIsFoundAndListed(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		multi("mixed", part("text/plain", "x"), file("application/ms-tnef", "winmail.dat", "x")):      true,
		multi("mixed", part("text/plain", "x"), file("application/octet-stream", "Winmail.DAT", "x")): true,
		multi("mixed", part("text/plain", "x"), file("application/octet-stream", "a.dat", "x")):       false,
	} {
		_, parts := sealed(t, raw)
		p, found := Winmail(parts)
		if found != want || len(Attachments(parts)) != 1 || found && !contains(Attachments(parts), p) {
			t.Errorf("found %v, want %v, %d attachments", found, want, len(Attachments(parts)))
		}
	}
}

const outlookInvitation = `BEGIN:VCALENDAR
METHOD:REQUEST
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN="Lindqvist, Maria":MAILTO:maria.lindqvist@example.org
ATTENDEE;ROLE=REQ-PARTICIPANT;CN=joan:MAILTO:joan@mail.example
SUMMARY;LANGUAGE=en-GB:Review\, part 2: care p
 lan
DTSTART;TZID=W. Europe Standard Time:20260624T140000
DTEND;TZID=W. Europe Standard Time:20260624T150000
LOCATION;LANGUAGE=en-GB:Riverside Day Centre\; Mill Lane\nExampleton
BEGIN:VALARM
DESCRIPTION:REMINDER
SUMMARY:not this one
TRIGGER;RELATED=START:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
SUMMARY:nor this
END:VEVENT
END:VCALENDAR
`

func TestCalendarOfOutlook(t *testing.T) {
	t.Parallel()
	b, parts := sealed(t, multi("alternative", part("text/plain", "x"), part("text/calendar; charset=utf-8; method=REQUEST", outlookInvitation)))
	e, found, err := Calendar(b, parts)
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	want := Event{Title: "Review, part 2: care plan", Place: "Riverside Day Centre; Mill Lane Exampleton", Organizer: "Lindqvist, Maria",
		OrganizerAddress: "maria.lindqvist@example.org", Method: "REQUEST", Part: parts[2],
		Start: Moment{Time: time.Date(2026, 6, 24, 14, 0, 0, 0, berlin), Zone: "Europe/Berlin"},
		End:   Moment{Time: time.Date(2026, 6, 24, 15, 0, 0, 0, berlin), Zone: "Europe/Berlin"}}
	if !sameEvent(e, want) {
		t.Errorf("\n got %+v\nwant %+v", e, want)
	}
}

func sameEvent(a, b Event) bool {
	sameMoment := func(a, b Moment) bool {
		return a.Zone == b.Zone && a.AllDay == b.AllDay && a.Time.Format(time.RFC3339) == b.Time.Format(time.RFC3339)
	}
	same := sameMoment(a.Start, b.Start) && sameMoment(a.End, b.End)
	a.Start, a.End, b.Start, b.End = Moment{}, Moment{}, Moment{}, Moment{}
	return same && a == b
}

func TestCalendarTimes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, lines string
		start, end  string // in the format below
		allDay      bool
	}{
		{"utc", "DTSTART:20260624T120000Z\nDTEND:20260624T130000Z", "2026-06-24 12:00 UTC", "2026-06-24 13:00 UTC", false},
		{"no zone", "DTSTART:20260624T120000\nDURATION:PT1H30M", "2026-06-24 12:00 ", "2026-06-24 13:30 ", false},
		{"iana zone", "DTSTART;TZID=America/New_York:20260624T120000", "2026-06-24 12:00 America/New_York", "", false},
		{"zone behind a path", "DTSTART;TZID=/freeassociation.sourceforge.net/Europe/London:20260624T120000", "2026-06-24 12:00 Europe/London", "", false},
		{"zone of the author's making", "DTSTART;TZID=\"Somewhere, GMT+5\":20260624T120000", "2026-06-24 12:00 Somewhere, GMT+5", "", false},
		{"the reader's own zone is nobody's", "DTSTART;TZID=Local:20260624T120000", "2026-06-24 12:00 Local", "", false},
		{"a path that leads out", "DTSTART;TZID=../../etc/passwd:20260624T120000", "2026-06-24 12:00 ../../etc/passwd", "", false},
		{"one day", "DTSTART;VALUE=DATE:20260624\nDTEND;VALUE=DATE:20260625", "2026-06-24 00:00 ", "2026-06-24 00:00 ", true},
		{"three days", "DTSTART;VALUE=DATE:20260624\nDURATION:P3D", "2026-06-24 00:00 ", "2026-06-26 00:00 ", true},
		{"ends before it begins", "DTSTART:20260624T120000Z\nDTEND:20260623T120000Z", "2026-06-24 12:00 UTC", "", false},
		{"weeks", "DTSTART:20260624T120000Z\nDURATION:P1W", "2026-06-24 12:00 UTC", "2026-07-01 12:00 UTC", false},
		{"nonsense", "DTSTART:tomorrow\nDTEND:later\nDURATION:PXX", "", "", false},
	} {
		e, found := parseCalendar("BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + tc.lines + "\nEND:VEVENT\nEND:VCALENDAR")
		if !found || momentText(e.Start) != tc.start || momentText(e.End) != tc.end || e.Start.AllDay != tc.allDay {
			t.Errorf("%s: %q to %q, all day %v", tc.name, momentText(e.Start), momentText(e.End), e.Start.AllDay)
		}
	}
}

func momentText(m Moment) string {
	if m.IsZero() {
		return ""
	}
	return m.Time.Format("2006-01-02 15:04 ") + m.Zone
}

func TestCalendarIsTolerant(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:x\nEND:VTODO", "no colon\n:\n;;;:", "<html>"} {
		if _, found := parseCalendar(text); found {
			t.Errorf("an event in %q", text)
		}
	}
	e, found := parseCalendar("begin:vcalendar\nmethod:cancel\nbegin:vevent\nsummary:cut \u202eshort\x07\nrrule:FREQ=DAILY")
	if !found || e.Title != "cut short" || !e.Cancelled || !e.Repeats || e.Method != "CANCEL" {
		t.Errorf("%+v", e)
	}
	if e, _ := parseCalendar("BEGIN:VEVENT\nSTATUS:CANCELLED\nORGANIZER:maria@example.org\nEND:VEVENT"); !e.Cancelled || e.OrganizerAddress != "" {
		t.Errorf("%+v", e)
	}
}

func TestCalendarAbsent(t *testing.T) {
	t.Parallel()
	b, parts := sealed(t, multi("mixed", part("text/plain", "x"), file("text/calendar", "todo.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR")))
	if e, found, err := Calendar(b, parts); found || err != nil {
		t.Errorf("%+v, %v", e, err)
	}
}

func FuzzCalendar(f *testing.F) {
	f.Add(outlookInvitation)
	f.Add("BEGIN:VEVENT\nDTSTART;TZID=\"x:y\":20260624T120000\nDURATION:P9999W\n")
	f.Fuzz(func(t *testing.T, text string) {
		e, _ := parseCalendar(clean(text))
		for _, s := range []string{e.Title, e.Place, e.Organizer, e.OrganizerAddress, e.Method, e.Start.Zone} {
			if len([]rune(s)) > maxShown || s != shownText(s) && !containsEscape(s) {
				t.Errorf("%q is shown", s)
			}
		}
	})
}

func containsEscape(s string) bool {
	for i := range len(s) {
		if s[i] == '\\' {
			return true
		}
	}
	return false
}

// TestPartsWithoutMessage: an index may be empty or cut short (the card holds 16 KiB).
func TestPartsWithoutMessage(t *testing.T) {
	t.Parallel()
	for _, parts := range [][]mail.Part{nil, {{Path: "", Type: "multipart/mixed"}}, {{Path: "2.3.1", Type: "text/plain"}}, {{Type: "multipart/alternative"}, {Path: "1", Type: "multipart/related", Depth: 1}}} {
		b, _ := sealed(t, part("text/plain", "x"))
		if text, err := Text(b, parts); err != nil || text != "" {
			t.Errorf("%+v: %q, %v", parts, text, err)
		}
		if _, found, err := HTML(b, parts); found || err != nil {
			t.Errorf("%+v: html %v, %v", parts, found, err)
		}
	}
}
