package notify

import "time"

var weekdays = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

var months = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
	"November", "December"}

// date is a moment in words, with weekday and zone (MAIL 6.1): "Tuesday 9 June 2026, 10:42 BST". Order, punctuation and
// clock are patterns of the catalogue; the names of months are only ever used in such dates.
func (w *writer) date(t time.Time) string {
	t = t.In(w.c.zone)
	clock := w.say(phraseClock, t.Hour(), t.Minute())
	return w.say(phraseDate, w.word(weekdays[t.Weekday()]), t.Day(), w.word(months[t.Month()-1]), t.Year(), clock, zoneName(t))
}

// zoneName is the zone's abbreviation, or its offset where the zone has none: "BST", "UTC-03:00".
func zoneName(t time.Time) string {
	if name, _ := t.Zone(); name != "" && name[0] >= 'A' && name[0] <= 'Z' {
		return name
	}
	return "UTC" + t.Format("-07:00")
}
