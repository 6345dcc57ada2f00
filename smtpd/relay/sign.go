package relay

import (
	"context"
	"errors"
	"io"

	"postern/store"
	"postern/store/mail"
)

// ErrUnsigned is what Config.Sign answers to a message for which there is no signature; it goes without.
var ErrUnsigned = errors.New("message has no signature")

// signature is the fields that sign a parcel's content: of a mail of ours always, of mail that passes through where the
// route says so and its author is of the organisation (MAIL 6.9, 6.10). Fields that are there already stay as they are.
// A stranger's letter to the postmaster may name any author, and our signature would vouch for it: it gets none.
func (r *Runner) signature(ctx context.Context, p *parcel, route *Route) ([]byte, error) {
	domain, ok := r.signedAs(p, route)
	if !ok {
		return nil, nil
	}
	field, err := r.cfg.Sign(domain, func() (io.Reader, error) {
		_, err := p.content.body.Seek(0, io.SeekStart)
		return p.content.body, err
	})
	if r.cfg.Hooks.Signed != nil && (len(field) > 0 || err != nil) {
		r.cfg.Hooks.Signed(domain, err)
	}
	if errors.Is(err, ErrUnsigned) {
		r.cfg.Log.WarnContext(ctx, "mail goes out without signature", "event", "dkim", "item", p.item().Key, "domain", domain, "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, orDamage(err)
	}
	return field, nil
}

// signedAs is the domain of the From field of what is to be signed.
func (r *Runner) signedAs(p *parcel, route *Route) (domain string, ok bool) {
	author := p.author()
	if r.cfg.Sign == nil || author == nil {
		return "", false
	}
	ours := p.own() || p.item().Kind == store.KindReply
	return author.Domain, ours || route.Sign && r.cfg.Internal(author.Domain) && p.message.Client.Class != store.ClientStranger
}

// author is the one address of the one From field; nil when there is none or several.
func (p *parcel) author() *store.Address {
	if !p.own() {
		return p.message.Author
	}
	raw, err := p.header()
	if err != nil {
		return nil
	}
	box, err := mail.ParseHeader(raw).Author()
	if err != nil {
		return nil
	}
	return &box.Address
}
