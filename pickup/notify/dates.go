package notify

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

var weekdays = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

var months = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
	"November", "December"}

// zones are those that languages have a word for.
var zones = [...]string{"UTC", "GMT", "BST", "CET", "CEST"}

// date is a moment in words, with weekday and zone (MAIL 6.1): "Tuesday 9 June 2026, 10:42 BST". Order, punctuation and
// clock are patterns of the catalogue; the names of months are only ever used in such dates.
func (w *writer) date(t time.Time) string {
	t = t.In(w.c.zone)
	clock := w.say(phraseClock, t.Hour(), t.Minute())
	day := strconv.Itoa(t.Day())
	if t.Day() == 1 {
		day = w.word(phraseFirst)
	}
	return w.say(phraseDate, w.word(weekdays[t.Weekday()]), day, w.word(months[t.Month()-1]), t.Year(), clock, w.zoneName(t))
}

// zoneName is the zone's abbreviation, or its offset where the zone has none: "BST", "UTC-03:00". Readers of other
// languages know few abbreviations; what their language has no word for is said as "UTC+1".
func (w *writer) zoneName(t time.Time) string {
	name, offset := t.Zone()
	lettered := name != "" && name[0] >= 'A' && name[0] <= 'Z'
	switch {
	case lettered && slices.Contains(zones[:], name):
		return w.word(name)
	case lettered && w.lang == english:
		return name
	case w.lang == english:
		return "UTC" + t.Format("-07:00")
	}
	return utcOffset(offset)
}

// utcOffset is a zone by its distance from UTC in seconds: "UTC+1", "UTC-3:30".
func utcOffset(seconds int) string {
	const hour = 3600
	if seconds%hour == 0 {
		return fmt.Sprintf("UTC%+d", seconds/hour)
	}
	return fmt.Sprintf("UTC%+d:%02d", seconds/hour, max(seconds, -seconds)%hour/60)
}
