package console

import (
	"net/http"
	"time"

	"postern/pickup/admin"
)

// dashboardPage is dashboard.html.
type dashboardPage struct {
	page
	admin.Overview
	Alerts       []admin.Alert
	Wide, Narrow chart
	Newest       []admin.Day // as the table lists them
	Sum          admin.Day   // of all days shown
}

func (c *Console) dashboard(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	if r.URL.Query().Get(check) != "" {
		return redirect(w, "/") // the cookie arrived
	}
	const week, fortnight = 7, 14
	o, err := c.Admin.OverviewShow(r.Context(), who.Actor, fortnight)
	if err != nil {
		return err
	}
	alerts, err := c.Admin.AlertList(r.Context(), who.Actor)
	if err != nil {
		return err
	}
	p := dashboardPage{page: c.page(r, who, "dashboard"), Overview: o, Alerts: alerts, Wide: newChart(o.Days, wideChart()),
		Narrow: newChart(o.Days[max(0, len(o.Days)-week):], narrowChart())}
	for i := range o.Days {
		d := o.Days[len(o.Days)-1-i]
		p.Newest = append(p.Newest, d)
		p.Sum.Sealed, p.Sum.Opened, p.Sum.Failed = p.Sum.Sealed+d.Sealed, p.Sum.Opened+d.Opened, p.Sum.Failed+d.Failed
	}
	return c.show(w, r, http.StatusOK, "dashboard", p)
}

// chart is two bars a day, drawn by the block "chart": solid for what was sealed, hatched for what was opened.
type chart struct {
	frame
	Lines []line
	Days  []bars
	Empty bool
}

// frame is the size of a chart in its own units.
type frame struct {
	ID            string
	Width, Height float64
	Left, Right   float64 // the first and last place for bars
	Top, Bottom   float64 // of the tallest bar, of the axis
	Bar           float64
}

func wideChart() frame {
	return frame{ID: "wide", Width: 640, Height: 470, Left: 40, Right: 636, Top: 18, Bottom: 426, Bar: 15}
}

func narrowChart() frame {
	return frame{ID: "narrow", Width: 330, Height: 300, Left: 40, Right: 326, Top: 18, Bottom: 256, Bar: 14}
}

// Label is where the days' names stand.
func (f frame) Label() float64 { return f.Bottom + 20 }

// line is a level with its number.
type line struct {
	Value    int64
	Y, TextY float64
}

// bars are those of one day.
type bars struct {
	Day            admin.Day
	Middle         float64
	Sealed, Opened bar
}

// bar is a place in a chart, with what stands above it.
type bar struct{ X, Y, Height, LabelY float64 }

const levels = 5

func newChart(days []admin.Day, f frame) chart {
	c := chart{frame: f}
	var most int64
	for _, d := range days {
		most = max(most, d.Sealed, d.Opened)
	}
	step := niceStep(most)
	top := float64(step * levels)
	scale := (f.Bottom - f.Top) / top
	for i := range int64(levels + 1) {
		y := f.Bottom - float64(i*step)*scale
		c.Lines = append(c.Lines, line{Value: i * step, Y: y, TextY: y + 4.5})
	}
	const gap = 3
	slot := (f.Right - f.Left) / float64(max(len(days), 1))
	for i, d := range days {
		middle := f.Left + slot*(float64(i)+0.5)
		place := func(x float64, n int64) bar {
			h := float64(n) * scale
			return bar{X: x, Y: f.Bottom - h, Height: h, LabelY: f.Bottom - h - 5}
		}
		c.Days = append(c.Days, bars{Day: d, Middle: middle, Sealed: place(middle-f.Bar-gap/2, d.Sealed), Opened: place(middle+gap/2, d.Opened)})
	}
	c.Empty = most == 0
	return c
}

// niceStep is the least of 1, 2, 5, 10, 20, 50 … that reaches most in as many levels.
func niceStep(most int64) int64 {
	for step := int64(1); ; step *= 10 {
		for _, m := range []int64{1, 2, 5} {
			if step*m*levels >= most {
				return step * m
			}
		}
	}
}

// Int is a count as plural forms take it.
func (p page) Int(n int64) int { return int(n) }

// DayOfMonth is the number of a day in the organisation's zone.
func (p page) DayOfMonth(t time.Time) int { return t.Day() }

// Full reports whether more shares end soon than were counted.
func (p dashboardPage) Full() bool { return p.Messages.Expiring >= admin.ExpiringMost }
