package main

import (
	"context"
	"io"
	"log/slog"

	"postern/cmd/internal/config"
)

// newLog makes the engineers' log (MAIL 10.1): every line begins with time, level and event; "msg" is a message's id.
func newLog(cfg config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: shape}
	if cfg.Format == "json" {
		return slog.New(eventLog{slog.NewJSONHandler(w, options)})
	}
	return slog.New(eventLog{slog.NewTextHandler(w, options)})
}

// shape writes times in UTC with milliseconds, and leaves slog's own msg out, because that name is the message's.
func shape(groups []string, a slog.Attr) slog.Attr {
	switch {
	case a.Value.Kind() == slog.KindTime:
		a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	case len(groups) == 0 && a.Key == slog.MessageKey && a.Value.Kind() == slog.KindString && a.Value.String() == "":
		return slog.Attr{}
	}
	return a
}

// eventLog writes the text of a line as its field event, or as text where the line names its event itself.
type eventLog struct{ slog.Handler }

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
	return eventLog{h.Handler.WithAttrs(attrs)}
}
func (h eventLog) WithGroup(name string) slog.Handler { return eventLog{h.Handler.WithGroup(name)} }
