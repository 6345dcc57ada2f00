package pickup

import (
	"time"

	"postern/pickup/message"
	"postern/pickup/mime"
	"postern/store/mail"
)

// event is a meeting that a message invites to (MAIL §4), in the words of the block "event" of _message.html.
type event struct {
	mime.Event
	OneDay bool // it ends on the day on which it starts
}

// eventOf reads the calendar entry of a message; nil when there is none, or none that says when.
func eventOf(o *message.Opened, parts []mail.Part) (*event, error) {
	e, found, err := mime.Calendar(o.Body, parts)
	if err != nil || !found || e.Start.IsZero() {
		return nil, err
	}
	v := &event{Event: e}
	v.OneDay = e.End.IsZero() || v.Until().Format(time.DateOnly) == e.Start.Time.Format(time.DateOnly)
	return v, nil
}

// Zone is where the clock times hold; empty for whole days and for times of no zone.
func (e event) Zone() string {
	if e.Start.AllDay {
		return ""
	}
	return e.Start.Zone
}

// Until is the end, on the clock of the start where both zones are known.
func (e event) Until() time.Time {
	if known(e.Start) && known(e.End) {
		return e.End.Time.In(e.Start.Time.Location())
	}
	return e.End.Time
}

func known(m mime.Moment) bool { return m.Zone != "" && m.Zone == m.Time.Location().String() }
