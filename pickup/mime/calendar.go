package mime

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"postern/store/mail"
)

// The limits of a calendar entry: octets that are read, characters of a value that is shown.
const (
	maxCalendar = 256 << 10
	maxShown    = 300
)

// Event is what the page shows of a meeting (RFC 5545 VEVENT). Missing values are empty.
type Event struct {
	Title            string
	Place            string
	Organizer        string // name
	OrganizerAddress string
	Start, End       Moment // End of an event of whole days is its last day
	Method           string // REQUEST, CANCEL, REPLY …
	Cancelled        bool
	Repeats          bool
	Part             mail.Part // the .ics
}

// Moment is a time as its author's calendar showed it. Time has the right clock and date; Zone says where they hold and
// is empty for a time of no zone. When the zone is known here, Time is in it, else Zone is only the author's word.
type Moment struct {
	Time   time.Time
	Zone   string
	AllDay bool
}

// IsZero reports whether there is no such time.
func (m Moment) IsZero() bool { return m.Time.IsZero() }

// Calendar reads the first event of the first calendar in a message. It takes what it understands and passes over the
// rest; found is false when there is no event.
func Calendar(b Body, parts []mail.Part) (e Event, found bool, err error) {
	for _, p := range tree(parts).leaves() {
		if p.Type != "text/calendar" && p.Type != "application/ics" {
			continue
		}
		text, _, err := readText(b, p, p.Charset, maxCalendar)
		if err != nil {
			return Event{}, false, err
		}
		if e, found = parseCalendar(text); found {
			e.Part = p
			return e, true, nil
		}
	}
	return Event{}, false, nil
}

// property is one content line of a calendar.
type property struct {
	name   string
	params map[string]string
	value  string
}

func parseCalendar(text string) (e Event, found bool) {
	var inside []string
	var duration time.Duration
	for _, line := range unfold(text) {
		p, ok := parseProperty(line)
		if !ok {
			continue
		}
		switch component := strings.ToUpper(strings.TrimSpace(p.value)); {
		case p.name == "BEGIN" && len(inside) < 10:
			inside = append(inside, component)
			found = found || component == "VEVENT"
		case p.name == "END" && len(inside) > 0:
			inside = inside[:len(inside)-1]
			if component == "VEVENT" {
				return e.finish(duration), found
			}
		case p.name == "METHOD" && len(inside) <= 1:
			e.Method = strings.ToUpper(shownText(p.value))
		case len(inside) > 0 && inside[len(inside)-1] == "VEVENT":
			e.take(p, &duration)
		}
	}
	return e.finish(duration), found
}

func (e *Event) take(p property, duration *time.Duration) {
	switch p.name {
	case "SUMMARY":
		e.Title = shownText(p.value)
	case "LOCATION":
		e.Place = shownText(p.value)
	case "ORGANIZER":
		e.Organizer = shownText(p.params["CN"])
		if scheme, rest, ok := strings.Cut(p.value, ":"); ok && strings.EqualFold(scheme, "mailto") {
			e.OrganizerAddress = shownText(rest)
		}
	case "DTSTART": // there is one, and finding its zone costs look-ups on the disk
		if e.Start.IsZero() {
			e.Start = parseMoment(p)
		}
	case "DTEND":
		if e.End.IsZero() {
			e.End = parseMoment(p)
		}
	case "DURATION":
		*duration = parseDuration(p.value)
	case "RRULE", "RDATE":
		e.Repeats = true
	case "STATUS":
		e.Cancelled = strings.EqualFold(strings.TrimSpace(p.value), "CANCELLED")
	}
}

func (e Event) finish(duration time.Duration) Event {
	if e.End.IsZero() && duration > 0 && !e.Start.IsZero() {
		e.End = Moment{e.Start.Time.Add(duration), e.Start.Zone, e.Start.AllDay}
	}
	if e.End.AllDay { // DTEND is the day after (RFC 5545 §3.6.1)
		e.End.Time = e.End.Time.AddDate(0, 0, -1)
	}
	if e.End.Time.Before(e.Start.Time) {
		e.End = Moment{}
	}
	e.Cancelled = e.Cancelled || e.Method == "CANCEL"
	return e
}

// unfold gives the content lines: a line that begins with a blank goes on from the one before (RFC 5545 §3.1).
func unfold(text string) []string {
	return strings.Split(strings.NewReplacer("\n ", "", "\n\t", "").Replace(text), "\n")
}

// parseProperty reads NAME;PARAM=value;PARAM="value":value.
func parseProperty(line string) (p property, ok bool) {
	head, value, ok := cutOutsideQuotes(line, ':')
	if !ok {
		return p, false
	}
	p.value, p.params = value, map[string]string{}
	for first := true; head != ""; first = false {
		var piece string
		piece, head, _ = cutOutsideQuotes(head, ';')
		if first {
			p.name = strings.ToUpper(strings.TrimSpace(piece))
			continue
		}
		if name, v, ok := strings.Cut(piece, "="); ok && len(p.params) < 20 {
			p.params[strings.ToUpper(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return p, p.name != ""
}

func cutOutsideQuotes(s string, sep byte) (before, after string, found bool) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// shownText undoes escapes and makes one safe line of what is left.
func shownText(s string) string {
	s = strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(s)
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf) && r != '\u200c' && r != '\u200d':
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if rs := []rune(s); len(rs) > maxShown {
		s = strings.TrimSpace(string(rs[:maxShown]))
	}
	return s
}

// parseMoment reads a date, a time in UTC, in a named zone, or in none.
func parseMoment(p property) Moment {
	v := strings.ToUpper(strings.TrimSpace(p.value))
	if t, err := time.Parse("20060102", v); err == nil {
		return Moment{Time: t, AllDay: true}
	}
	if t, err := time.Parse("20060102T150405Z", v); err == nil {
		return Moment{Time: t, Zone: "UTC"}
	}
	t, err := time.Parse("20060102T150405", v)
	if err != nil {
		return Moment{}
	}
	name := shownText(p.params["TZID"])
	loc := findZone(name)
	if loc == nil {
		return Moment{Time: t, Zone: name}
	}
	return Moment{Time: time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc), Zone: loc.String()}
}

// findZone knows IANA names, also behind the path that some programs put before them, and the most used Windows names.
func findZone(name string) *time.Location {
	if strings.EqualFold(name, "local") || name == "" {
		return nil
	}
	if iana := windowsZone(name); iana != "" {
		name = iana
	}
	const longest = 3 // "America/Argentina/Ushuaia"
	if pieces := strings.Split(name, "/"); len(pieces) > longest {
		name = strings.Join(pieces[len(pieces)-longest:], "/")
	}
	for {
		if loc, err := time.LoadLocation(name); err == nil && name != "" {
			return loc
		}
		_, rest, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
		if !ok {
			return nil
		}
		name = rest
	}
}

// windowsZone is the IANA zone for what Exchange calls a zone, after the CLDR table windowsZones ("001" column).
func windowsZone(name string) string {
	switch strings.TrimSuffix(strings.ToLower(name), " standard time") {
	case "gmt":
		return "Europe/London"
	case "greenwich":
		return "Atlantic/Reykjavik"
	case "w. europe":
		return "Europe/Berlin"
	case "romance":
		return "Europe/Paris"
	case "central europe":
		return "Europe/Budapest"
	case "central european":
		return "Europe/Warsaw"
	case "fle":
		return "Europe/Kiev"
	case "gtb":
		return "Europe/Bucharest"
	case "e. europe":
		return "Europe/Chisinau"
	case "turkey":
		return "Europe/Istanbul"
	case "russian":
		return "Europe/Moscow"
	case "israel":
		return "Asia/Jerusalem"
	case "south africa":
		return "Africa/Johannesburg"
	case "arabian":
		return "Asia/Dubai"
	case "india":
		return "Asia/Calcutta"
	case "china":
		return "Asia/Shanghai"
	case "singapore":
		return "Asia/Singapore"
	case "tokyo":
		return "Asia/Tokyo"
	case "aus eastern":
		return "Australia/Sydney"
	case "new zealand":
		return "Pacific/Auckland"
	case "eastern":
		return "America/New_York"
	case "central":
		return "America/Chicago"
	case "mountain":
		return "America/Denver"
	case "us mountain":
		return "America/Phoenix"
	case "pacific":
		return "America/Los_Angeles"
	case "atlantic":
		return "America/Halifax"
	case "e. south america":
		return "America/Sao_Paulo"
	}
	return ""
}

var durationForm = regexp.MustCompile(`^\+?P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?$`)

// parseDuration reads P1W, P1DT2H, PT90M (RFC 5545 §3.3.6); 0 for anything else.
func parseDuration(s string) time.Duration {
	m := durationForm.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(s)))
	if m == nil {
		return 0
	}
	var sum time.Duration
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, err := strconv.Atoi(m[i+1])
		if err == nil {
			sum += time.Duration(n) * unit
		}
	}
	return sum
}
