package relay

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// tellOf logs and counts what was committed and answers when the earliest item that was given back is due.
func (r *Runner) tellOf(ctx context.Context, p *plan) (next time.Time) {
	for _, c := range p.changes {
		if (c.how == Deferred || c.how == Returned) && !c.idle && (next.IsZero() || c.next.Due.Before(next)) {
			next = c.next.Due
		}
		if c.idle && c.how == Deferred {
			continue
		}
		r.logAttempt(ctx, c)
		r.countAttempt(c)
	}
	return next
}

func (r *Runner) countAttempt(c change) {
	if r.cfg.Hooks.Attempt != nil {
		r.cfg.Hooks.Attempt(Attempt{
			Kind: c.item.Kind, Route: c.via.route, Result: c.how, Delay: c.at.Sub(c.item.Arrived), Wait: c.wait,
		})
	}
	if c.how == Failed && c.p.own() && c.item.From == nil && r.cfg.Hooks.DoubleBounce != nil {
		r.cfg.Hooks.DoubleBounce(c.item.Kind)
	}
}

// logAttempt writes the line of one recipient's attempt (MAIL 10.1).
func (r *Runner) logAttempt(ctx context.Context, c change) {
	level := slog.LevelInfo
	switch {
	case c.answer.damaged, c.answer.cause != nil, blamesUs(c.answer):
		level = slog.LevelError
	case c.how == Failed, c.how == Lost, c.answer.duplicate:
		level = slog.LevelWarn
	case c.how == Returned:
		level = slog.LevelDebug
	}
	if !r.cfg.Log.Enabled(ctx, level) {
		return
	}
	k := c.p.subject(c.item)
	if k.Message.IsZero() {
		k = c.item.Key
	}
	attrs := []slog.Attr{
		slog.String("event", "attempt"), slog.String("msg", k.Message.String()), slog.String("to", r.cfg.LogAddress(c.item.To.Address)),
		slog.String("item", c.item.Key.String()), slog.String("kind", string(c.item.Kind)),
		slog.Int("attempt", c.item.Attempts), slog.String("route", c.via.route), slog.String("result", string(c.how)),
		slog.Int("code", c.answer.code), slog.String("enhanced", c.answer.status), slog.String("reply", c.answer.text),
		slog.Duration("delay", c.at.Sub(c.item.Arrived)),
	}
	attrs = append(attrs, wayAttrs(c)...)
	r.cfg.Log.LogAttrs(ctx, level, "attempt", attrs...)
}

func wayAttrs(c change) (attrs []slog.Attr) {
	if c.via.ip != "" {
		attrs = append(attrs, slog.String("conn", c.via.conn), slog.String("relay", c.via.host), slog.String("relay_ip", c.via.ip), slog.String("tls", c.via.tls),
			slog.Bool("tls_verified", c.via.verified), slog.String("delays", fmt.Sprintf("%.3f/%.3f/%.3f/%.3f",
				c.wait.Seconds(), c.via.connect.Seconds(), c.via.shake.Seconds(), c.via.data.Seconds())))
	}
	if c.answer.remoteID != "" {
		attrs = append(attrs, slog.String("remote_id", c.answer.remoteID))
	}
	if c.how == Deferred || c.how == Returned {
		attrs = append(attrs, slog.Time("next_attempt", c.next.Due))
	}
	if c.answer.duplicate {
		attrs = append(attrs, slog.String("note", "possible duplicate"))
	}
	if c.answer.cause != nil {
		attrs = append(attrs, slog.String("error", c.answer.cause.Error()))
	}
	return attrs
}

// blamesUs reports an answer that our certificate, connector or log-on has to be mended for (MAIL 8.2).
func blamesUs(a answer) bool { return a.code >= 500 && !a.permanent }
