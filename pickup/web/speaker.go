package web

import (
	"cmp"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

// Speaker says things in one language: the functions that templates call. Its texts are HTML: msgid and arguments are
// escaped, but for arguments that are template.HTML already.
type Speaker struct {
	cat  *Catalogue
	lang string
	zone *time.Location
}

// NewSpeaker makes one. Without a zone times are shown in UTC.
func NewSpeaker(c *Catalogue, lang string, zone *time.Location) *Speaker {
	if zone == nil {
		zone = time.UTC
	}
	return &Speaker{cat: c, lang: lang, zone: zone}
}

func (s *Speaker) funcs() template.FuncMap {
	return template.FuncMap{
		"t": s.T, "tn": s.N, "tc": s.C, "day": s.Day, "date": s.Date, "when": s.When, "until": s.Until, "clock": s.Clock, "moment": s.Moment,
		"dateThere": s.DateThere, "timeThere": s.TimeThere,
		"size": s.Size, "icon": Icon, "b": bold, "code": code, "mail": mailLink, "tel": telLink, "link": link,
		"bdi": bdi, "address": address, "dict": dict,
	}
}

// T is a text with its arguments.
func (s *Speaker) T(id string, args ...any) template.HTML {
	return htmlf(s.cat.lookup(s.lang, id), args)
}

// C is T for a text that other languages say differently by where it stands, which context names (msgctxt).
func (s *Speaker) C(context, id string, args ...any) template.HTML {
	return htmlf(s.cat.lookupIn(s.lang, context, id), args)
}

// N is a text that depends on a count, which is its first argument.
func (s *Speaker) N(n int, one, many string, args ...any) template.HTML {
	return htmlf(s.cat.plural(s.lang, one, many, n), append([]any{n}, args...))
}

func htmlf(text string, args []any) template.HTML {
	text = template.HTMLEscapeString(text)
	if len(args) == 0 || !strings.Contains(text, "%") {
		return template.HTML(text)
	}
	safe := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case template.HTML:
			safe[i] = string(a)
		case int, int64, uint32:
			safe[i] = a
		default:
			safe[i] = template.HTMLEscapeString(fmt.Sprint(a))
		}
	}
	return template.HTML(fmt.Sprintf(text, safe...))
}

// Day is "9 July".
func (s *Speaker) Day(t time.Time) template.HTML {
	t = t.In(s.zone)
	// A day of a month: "9 July". %[1]s is the day, %[2]s the month.
	return timeTag(t, time.DateOnly, s.T("%[1]s %[2]s", s.dayOfMonth(t), s.month(t)))
}

// dayOfMonth is a number, but for the first day in languages that write that as an ordinal.
func (s *Speaker) dayOfMonth(t time.Time) template.HTML {
	if t.Day() == 1 {
		return s.T("1")
	}
	return template.HTML(strconv.Itoa(t.Day()))
}

// Date is "Tuesday 9 June 2026".
func (s *Speaker) Date(t time.Time) template.HTML {
	t = t.In(s.zone)
	return timeTag(t, time.DateOnly, s.date(t))
}

func (s *Speaker) date(t time.Time) template.HTML {
	// A date: weekday, day, month, year.
	return s.T("%[1]s %[2]s %[3]s %[4]d", s.weekday(t), s.dayOfMonth(t), s.month(t), t.Year())
}

// When is "Tuesday 9 June 2026, 10:42".
func (s *Speaker) When(t time.Time) template.HTML {
	t = t.In(s.zone)
	return timeTag(t, minute, s.T("%[1]s, %[2]s", s.date(t), t.Format("15:04")))
}

// Until is When with the zone's name, for times by which something must be done.
func (s *Speaker) Until(t time.Time) template.HTML {
	t = t.In(s.zone)
	return timeTag(t, minute, s.T("%[1]s, %[2]s", s.date(t), t.Format("15:04 ")+s.zoneName(t)))
}

// Moment is a time to the second with the zone's name, for the help desk (C7).
func (s *Speaker) Moment(t time.Time) template.HTML {
	t = t.In(s.zone)
	return s.T("%[1]s, %[2]s", s.date(t), t.Format("15:04:05 ")+s.zoneName(t))
}

// zoneName is "BST". Readers of other languages know few such letters; what their language has no word for is said as
// "UTC+1".
func (s *Speaker) zoneName(t time.Time) string {
	name, offset := t.Zone()
	if name == "" || name[0] < 'A' || name[0] > 'Z' {
		return UTCOffset(offset)
	}
	if known := s.zones()[name]; known != "" || s.lang == English {
		return cmp.Or(string(known), name)
	}
	return UTCOffset(offset)
}

func (s *Speaker) zones() map[string]template.HTML {
	return map[string]template.HTML{"UTC": s.T("UTC"), "GMT": s.T("GMT"), "BST": s.T("BST"), "CET": s.T("CET"), "CEST": s.T("CEST")}
}

// UTCOffset is a zone by its distance from UTC in seconds: "UTC", "UTC+1", "UTC+5:30".
func UTCOffset(seconds int) string {
	const hour = 3600
	sign, away := "+", seconds
	if seconds < 0 {
		sign, away = "-", -seconds
	}
	switch h, m := away/hour, away%hour/60; {
	case h == 0 && m == 0:
		return "UTC"
	case m == 0:
		return fmt.Sprintf("UTC%s%d", sign, h)
	default:
		return fmt.Sprintf("UTC%s%d:%02d", sign, h, m)
	}
}

// DateThere is Date by the calendar of the time's own zone.
func (s *Speaker) DateThere(t time.Time) template.HTML { return timeTag(t, time.DateOnly, s.date(t)) }

// Clock is a time of today: 19:21 BST.
func (s *Speaker) Clock(t time.Time) template.HTML {
	t = t.In(s.zone)
	return timeTag(t, minute, template.HTML(template.HTMLEscapeString(t.Format("15:04 ")+s.zoneName(t))))
}

// TimeThere is "10:42" by the clock of the time's own zone.
func (s *Speaker) TimeThere(t time.Time) template.HTML {
	const clock = "15:04"
	return timeTag(t, clock, template.HTML(t.Format(clock)))
}

const minute = "2006-01-02T15:04Z07:00"

func timeTag(t time.Time, layout string, text template.HTML) template.HTML {
	return template.HTML(`<time datetime="` + t.Format(layout) + `">` + string(text) + `</time>`)
}

func (s *Speaker) weekday(t time.Time) template.HTML {
	return [...]template.HTML{s.T("Sunday"), s.T("Monday"), s.T("Tuesday"), s.T("Wednesday"), s.T("Thursday"),
		s.T("Friday"), s.T("Saturday")}[t.Weekday()]
}

func (s *Speaker) month(t time.Time) template.HTML {
	return [...]template.HTML{s.T("January"), s.T("February"), s.T("March"), s.T("April"), s.T("May"), s.T("June"),
		s.T("July"), s.T("August"), s.T("September"), s.T("October"), s.T("November"), s.T("December")}[t.Month()-1]
}

// Size is a number of octets for people: "88 KB", "1.2 MB". Units are decimal, as file managers show them.
func (s *Speaker) Size(octets int64) template.HTML {
	const kilo, mega, giga = 1000, 1000 * 1000, 1000 * 1000 * 1000
	switch {
	case octets < kilo:
		return s.N(int(octets), "%d byte", "%d bytes")
	case octets < mega-kilo/2:
		return s.T("%d KB", (octets+kilo/2)/kilo)
	case octets < giga-mega/20:
		return s.T("%s MB", s.tenths(octets, mega))
	}
	return s.T("%s GB", s.tenths(octets, giga))
}

// tenths is octets in a unit with one decimal, which is left out when it is zero.
func (s *Speaker) tenths(octets, unit int64) template.HTML {
	n := (octets*10 + unit/2) / unit
	if n%10 == 0 {
		return template.HTML(strconv.FormatInt(n/10, 10))
	}
	// A number with one decimal: "1.2".
	return s.T("%[1]d.%[2]d", n/10, n%10)
}
