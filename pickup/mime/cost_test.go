package mime

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"postern/store/mail"
)

// One mail must not keep the site busy: what the author repeats is paid for once.

// An octet stream that calls itself an image is no image however often the body asks for it, and is read once.
func TestImagesThatAreNoneAreReadOnce(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	raw := strings.ReplaceAll(multi("related", part("text/html", strings.Repeat(`<img src="cid:a" alt="x">`, 200)),
		"Content-Type: image/png\nContent-ID: <a>\nContent-Transfer-Encoding: base64\n\n"+wrapBase64(testData(size), 76)), "\n", "\r\n")
	x := mail.NewIndexer()
	_, _ = io.WriteString(x, raw)
	x.Close()
	body := &counted{Reader: bytes.NewReader([]byte(raw))}
	page, found, err := HTML(body, x.Parts())
	if err != nil || !found || strings.Count(page, "x") != 200 {
		t.Fatalf("%d alternatives shown, found %v, %v", strings.Count(page, "x"), found, err)
	}
	if most := int64(2 * size); body.n > most {
		t.Errorf("%d octets were read of a message of %d", body.n, len(raw))
	}
}

// The names of time zones are looked up on the disk: a path of a hundred pieces is not a hundred names, and an event
// has one beginning.
func TestCalendarLooksUpFewZones(t *testing.T) {
	line := "DTSTART;TZID=" + strings.Repeat("a/", 120) + "b:20260624T120000\n"
	text := "BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + strings.Repeat(line, 50) + "END:VEVENT\nEND:VCALENDAR"
	var e Event
	allocs := testing.AllocsPerRun(1, func() { e, _ = parseCalendar(text) })
	if e.Start.IsZero() {
		t.Error("the event has no beginning")
	}
	if allocs > 5_000 {
		t.Errorf("%.0f allocations for one event", allocs)
	}
}
