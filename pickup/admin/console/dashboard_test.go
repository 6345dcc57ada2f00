package console_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/pickup/admin"
	"postern/store"
)

// TestConsoleChartShowsWhatTheTableHas: each bar of the chart is as high as the table's figure of its day, in the same
// order of days, and the levels beside them are to the same scale.
func TestConsoleChartShowsWhatTheTableHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	days := []struct{ sealed, opened int }{{7, 0}, {0, 2}, {3, 3}, {0, 0}, {12, 5}}
	for i, d := range days {
		if i > 0 {
			w.advance(24 * time.Hour)
		}
		for range d.sealed {
			w.mail(joan)
		}
		for range d.opened {
			w.event(store.Event{ID: store.NewEventID(w.Now()), What: store.EventOpened, Actor: "recipient"})
		}
	}
	v := w.signedIn(dana, admin.RoleAuditor)
	body := v.get("/").body
	for name, shown := range map[string]int{"wide": 14, "narrow": 7} {
		_, svg, _ := strings.Cut(body, `class="chart chart-`+name+`"`)
		svg, _, _ = strings.Cut(svg, "</svg>")
		sealed, opened := heights(t, svg, "a"), heights(t, svg, "b")
		if len(sealed) != shown || len(opened) != shown {
			t.Fatalf("%s: %d and %d bars, want %d", name, len(sealed), len(opened), shown)
		}
		unit := sealed[shown-1] / 12
		for i, d := range days {
			at := shown - len(days) + i
			if a, b := sealed[at], opened[at]; !near(a, unit*float64(d.sealed)) || !near(b, unit*float64(d.opened)) {
				t.Errorf("%s, day %d: bars of %.1f and %.1f, a unit is %.1f, want %v", name, i, a, b, unit, d)
			}
		}
		levels := regexp.MustCompile(`d="M40 ([0-9.]+)H`).FindAllStringSubmatch(svg, -1)
		values := regexp.MustCompile(`text-anchor="end">([0-9]+)<`).FindAllStringSubmatch(svg, -1)
		bottom := number(t, levels[0][1])
		for i := range levels {
			if at := bottom - unit*number(t, values[i][1]); !near(number(t, levels[i][1]), at) {
				t.Errorf("%s: the level %s is at %s, want %.1f", name, values[i][1], levels[i][1], at)
			}
		}
	}
	_, table, _ := strings.Cut(body, `id="chart-cap"`)
	rows := regexp.MustCompile(`<td class="num">(\d+)</td><td class="num">(\d+)</td>`).FindAllStringSubmatch(table, -1)
	for i, d := range days {
		if got := rows[len(days)-1-i]; got[1] != fmt.Sprint(d.sealed) || got[2] != fmt.Sprint(d.opened) {
			t.Errorf("the table has %v, want %v", got[1:], d)
		}
	}
}

// heights are those of the bars of a kind, in the order of the days.
func heights(t *testing.T, svg, class string) (list []float64) {
	t.Helper()
	for _, m := range regexp.MustCompile(`<rect class="`+class+`"[^>]* height="([0-9.]+)"`).FindAllStringSubmatch(svg, -1) {
		list = append(list, number(t, m[1]))
	}
	return list
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(s, 64)
	must(t, err)
	return n
}

// near reports whether two lengths differ by no more than what a tenth may lose, ten times over.
func near(a, b float64) bool { return a-b < 1 && b-a < 1 }
