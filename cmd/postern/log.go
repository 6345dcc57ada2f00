package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"

	"postern/cmd/internal/config"
)

// newLog makes the engineers' log (MAIL 10.1): every line begins with time, level and event; "msg" is a message's id.
func newLog(cfg config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo
	}
	var hide *hider
	if cfg.Addresses == "hashed" {
		hide = &hider{}
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: hide.shape}
	var lines slog.Handler = slog.NewTextHandler(w, options)
	if cfg.Format == "json" {
		lines = slog.NewJSONHandler(w, options)
	}
	return slog.New(eventLog{lines, hide})
}

// hiderOf is what hides addresses in the lines of a log; nil: nothing does.
func hiderOf(log *slog.Logger) *hider {
	h, _ := log.Handler().(eventLog)
	return h.hide
}

// shape writes times in UTC with milliseconds and spans in seconds, hides addresses where that is asked for, and leaves
// slog's own msg out, because that name is the message's.
func (h *hider) shape(groups []string, a slog.Attr) slog.Attr {
	switch kind := a.Value.Kind(); {
	case kind == slog.KindTime:
		a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	case kind == slog.KindDuration:
		a.Value = slog.Float64Value(seconds(a.Value.Duration()))
	case len(groups) == 0 && a.Key == slog.MessageKey && kind == slog.KindString && a.Value.String() == "":
		return slog.Attr{}
	case h != nil && kind == slog.KindString:
		a.Value = slog.StringValue(h.text(a.Value.String()))
	case h != nil && kind == slog.KindAny:
		a.Value = h.any(a.Value)
	}
	return a
}

// seconds rounds to milliseconds.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

// any hides addresses in what is written as text.
func (h *hider) any(v slog.Value) slog.Value {
	switch x := v.Any().(type) {
	case error:
		return slog.StringValue(h.text(x.Error()))
	case fmt.Stringer:
		return slog.StringValue(h.text(x.String()))
	}
	return v
}

// eventLog writes the text of a line as its field event, or as text where the line names its event itself.
type eventLog struct {
	slog.Handler
	hide *hider
}

func (h eventLog) Handle(ctx context.Context, r slog.Record) error {
	named := false
	r.Attrs(func(a slog.Attr) bool {
		named = named || a.Key == "event"
		return !named
	})
	out := slog.NewRecord(r.Time, r.Level, "", r.PC)
	if named {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "event" {
				out.AddAttrs(a)
			}
			return true
		})
		if r.Message != "" {
			out.AddAttrs(slog.String("text", r.Message))
		}
	} else {
		out.AddAttrs(slog.String("event", r.Message))
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "event" {
			out.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, out)
}

func (h eventLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return eventLog{h.Handler.WithAttrs(attrs), h.hide}
}
func (h eventLog) WithGroup(name string) slog.Handler {
	return eventLog{h.Handler.WithGroup(name), h.hide}
}
