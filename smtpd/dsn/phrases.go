package dsn

// Phrases are the sentences of a report for people. A catalogue may replace them; they are plain text of any
// language, and %s stands where a comment says so.
type Phrases struct {
	SubjectFailed, SubjectDelayed, SubjectRelayed string

	// The first paragraph; the Secure ones are about a message that waits to be picked up.
	Failed, Delayed, Relayed                   string
	SecureFailed, SecureDelayed, SecureRelayed string

	Answer     string // %s: host; the server's words follow on the next line
	RetryUntil string // %s: time
	Sent       string // %s: time when the original was accepted
	Reference  string // %s: id of the original
	Attached   string // what the other parts are
	Help       string // %s: address of the postmaster

	Reasons
}

// Reasons say in one sentence each why a message did not arrive. Their order is that of Reasons.of.
type Reasons struct {
	NoSuchAddress string // 5.1.x: the address
	Disabled      string // x.2.1: the mailbox is switched off
	MailboxFull   string // x.2.2
	TooLarge      string // 5.2.3, 5.3.4
	NoRoute       string // 5.4.4
	GaveUp        string // 5.4.7
	NoAnswer      string // 4.4.x
	EightBit      string // 5.6.3
	AddressText   string // 5.6.7: needs SMTPUTF8
	Content       string // 5.6.x
	NeedsTLS      string // x.7.10
	Policy        string // 5.7.x
	Refused       string // any other 5.x.x
	NotNow        string // any other 4.x.x
	PassedOn      string // 2.x.x
	SendAgain     string // the stored copy cannot be read any more (KEYS K4); chosen by the caller only
	Dropped       string // an administrator took it out of the queue; chosen by the caller only
}

// English is the default.
func English() Phrases {
	return Phrases{
		SubjectFailed:  "Your message was not delivered",
		SubjectDelayed: "Your message is delayed",
		SubjectRelayed: "Your message was passed on",
		Failed:         "Your message did not reach the people below. It will not be tried again.",
		Delayed: "Your message has not reached the people below yet. You need not do anything: it is tried again until the" +
			" time given. Please do not send it once more.",
		Relayed: "Your message was handed to the next mail server for the people below. That server does not report" +
			" arrivals, so this is the last report.",
		SecureFailed: "The people below could not be told about your secure message, so they cannot read it. It will not" +
			" be tried again.",
		SecureDelayed: "The people below could not be told about your secure message yet. You need not do anything: it is" +
			" tried again until the time given. Please do not send it once more.",
		SecureRelayed: "The next mail server took the notification about your secure message for the people below. This" +
			" does not say that they have read it.",
		Answer:     "Answer of %s:",
		RetryUntil: "Tried until: %s",
		Sent:       "Sent: %s",
		Reference:  "Reference: %s",
		Attached:   "Technical details are attached.",
		Help:       "Questions? Write to %s and give the reference.",
		Reasons: Reasons{
			NoSuchAddress: "The address does not exist or takes no mail. Check how it is spelt.",
			Disabled:      "The mailbox is switched off.",
			MailboxFull:   "The mailbox is full. Try again later, or reach the person another way.",
			TooLarge:      "The message is larger than the next mail server accepts.",
			NoRoute:       "This gateway has no way to mail for this domain.",
			GaveUp:        "The mail server did not take the message in the time allowed.",
			NoAnswer:      "The mail server does not answer.",
			EightBit:      "The next mail server cannot take this form of message (8-bit text).",
			AddressText:   "The next mail server cannot take international addresses.",
			Content:       "The next mail server does not accept the form of the message.",
			NeedsTLS:      "The next mail server offers no encrypted connection, and this message may not go without.",
			Policy:        "The next mail server refused the message by its rules.",
			Refused:       "The next mail server refused the message.",
			NotNow:        "The next mail server does not take the message at present.",
			PassedOn:      "Handed to the next mail server.",
			SendAgain:     "The message can no longer be read on this gateway. Please send it again.",
			Dropped:       "An administrator ended the delivery.",
		},
	}
}

// of picks the sentence for an RFC 3463 status.
func (r Reasons) of(status string) string {
	class, detail := status, ""
	if len(status) > 2 {
		class, detail = status[:1], status[2:]
	}
	for _, c := range []struct{ class, prefix, text string }{
		{"5", "1.", r.NoSuchAddress},
		{"", "2.1", r.Disabled},
		{"", "2.2", r.MailboxFull},
		{"5", "2.3", r.TooLarge},
		{"5", "3.4", r.TooLarge},
		{"5", "4.4", r.NoRoute},
		{"5", "4.7", r.GaveUp},
		{"4", "4.", r.NoAnswer},
		{"5", "6.3", r.EightBit},
		{"5", "6.7", r.AddressText},
		{"5", "6.", r.Content},
		{"", "7.10", r.NeedsTLS},
		{"5", "7.", r.Policy},
		{"5", "", r.Refused},
		{"2", "", r.PassedOn},
	} {
		if (c.class == "" || c.class == class) && matches(detail, c.prefix) {
			return c.text
		}
	}
	return r.NotNow
}

// matches reports whether detail is prefix, or starts with it where it ends in a dot or is empty.
func matches(detail, prefix string) bool {
	if prefix == "" || prefix[len(prefix)-1] == '.' {
		return len(detail) >= len(prefix) && detail[:len(prefix)] == prefix
	}
	return detail == prefix
}
