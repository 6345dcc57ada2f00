package policy

import "postern/store"

// message is an Input with what every recipient's decision needs of it.
type message struct {
	p         *Policy
	in        Input
	authorErr error
	foreign   bool           // the author is outside of the organisation
	writer    *store.Address // whom `from` in a rule means
	trigger   *trigger
	normal    []string       // subjects, once asked for
	fits      map[*rule]bool // whether a rule is for the message, once asked for: it does not hang on the recipient
}

func (p *Policy) newMessage(in Input) *message {
	m := &message{p: p, in: in, trigger: p.findTrigger(in), writer: in.Env.From, fits: map[*rule]bool{}}
	author, err := in.Header.Author()
	m.authorErr = err
	if err == nil {
		m.writer = &author.Address
		m.foreign = !p.isInternal(author.Address)
	}
	return m
}

func (p *Policy) isInternal(a store.Address) bool { return p.internal(store.DomainKey(a.Domain)) }

// subjects are all readings of all Subject fields.
func (m *message) subjects() []string {
	if m.normal == nil {
		m.normal = append([]string{""}, m.in.Header.SubjectReadings()...)
	}
	return m.normal[1:]
}

// Decide answers one decision per recipient of the envelope, in its order.
func (p *Policy) Decide(in Input) []Decision {
	m := p.newMessage(in)
	decisions := make([]Decision, len(in.Env.Rcpts))
	secret := m.trigger != nil
	for i, r := range in.Env.Rcpts {
		decisions[i] = m.decide(i, r.Address)
		secret = secret || decisions[i].Secret
	}
	for i, r := range in.Env.Rcpts {
		d := &decisions[i]
		d.Secret = secret
		if secret && d.Action == store.ActionRelay && d.Rule != RuleOwn && p.isInternal(r.Address) {
			d.NeedTLS = true
		}
	}
	return decisions
}

// decide goes through the order of MAIL 3.1 for one recipient.
func (m *message) decide(i int, to store.Address) Decision {
	switch {
	case m.in.Own:
		return m.own()
	case m.in.Env.Client.Class == store.ClientStranger:
		return Decision{Action: store.ActionRelay, Rule: RulePostmaster, Reason: "Anybody may write to the postmaster of this host."}
	}
	internal := m.p.isInternal(to)
	for n := range m.p.rules {
		r := &m.p.rules[n]
		switch {
		case internal && !r.internal:
		case r.action == store.ActionRelay && m.trigger != nil && !r.evenIfFlagged:
		case r.matches(m, to):
			return m.byRule(i, r)
		}
	}
	switch {
	case internal:
		return Decision{Action: store.ActionRelay, Rule: RuleInternal, Reason: "The recipient belongs to the organisation."}
	case m.trigger != nil:
		return m.seal(i, *m.trigger)
	}
	return Decision{Action: store.ActionRelay, Rule: RuleDefault, Reason: "Nothing marks the message as secure."}
}

// own relays a mail of ours that comes back through the listener, and what holds something of a sealed message goes on
// as carefully as it set out (MAIL 6.6).
func (m *message) own() Decision {
	return Decision{
		Action: store.ActionRelay, Rule: RuleOwn, Reason: "It is a mail that this gateway wrote.", NeedTLS: m.in.OwnTLS,
	}
}

func (m *message) byRule(i int, r *rule) Decision {
	switch r.action {
	case store.ActionRelay:
		return Decision{Action: store.ActionRelay, Rule: r.name, Reason: r.reason}
	case store.ActionReject:
		return reject(trigger{rule: r.name}, r.reason, replyRule(r.reply, m.trigger != nil))
	}
	t := trigger{rule: r.name, reason: r.reason, options: r.options}
	if m.trigger != nil {
		t.options = t.options.with(m.trigger.options)
		t.badOption = m.trigger.badOption
	}
	return m.seal(i, t)
}

// seal seals for a recipient, or refuses what cannot be sealed: it never goes out in clear.
func (m *message) seal(i int, t trigger) Decision {
	d := m.sealOrRefuse(i, t)
	d.Secret = true
	return d
}

func (m *message) sealOrRefuse(i int, t trigger) Decision {
	if d, refused := m.refuseSender(t); refused {
		return d
	}
	switch {
	case t.badOption:
		return reject(t, "The tag in the subject has an option that is not known here.", replyOption())
	case m.in.Env.Rcpts[i].Address.IsLiteral():
		return reject(t, "An address with an IP address instead of a domain cannot receive secure mail.", replyLiteral())
	case m.status(i) == store.StatusDisabled:
		return reject(t, "The recipient is disabled here.", replyDisabled(m.p.support))
	}
	return Decision{Action: store.ActionSeal, Rule: t.rule, Reason: t.reason, Options: t.options}
}

// refuseSender applies MAIL 1.7 and `senders`. Whoever writes on the site may answer there.
func (m *message) refuseSender(t trigger) (Decision, bool) {
	status := m.in.Facts.Sender
	enabled := status != store.StatusDisabled
	if m.p.invited {
		enabled = status == store.StatusActive || status == store.StatusInvited
	}
	switch {
	case m.in.Env.Client.Class == store.ClientSite:
		return Decision{}, false
	case m.authorErr != nil:
		return reject(t, "It is to be sealed, but it does not have exactly one From address.", replyNoAuthor()), true
	case m.foreign:
		return reject(t, "It is to be sealed, but its From address is not of this organisation.", replyForeign()), true
	case !enabled:
		return reject(t, "It is to be sealed, but its sender is not enabled for secure mail.", replyNotEnabled(m.p.support)), true
	}
	return Decision{}, false
}

func (m *message) status(i int) store.Status {
	if i < len(m.in.Facts.Rcpts) {
		return m.in.Facts.Rcpts[i]
	}
	return store.StatusNone
}

func reject(t trigger, reason string, reply *store.ReplyError) Decision {
	return Decision{Action: store.ActionReject, Rule: t.rule, Reason: reason, Refusal: reply}
}
