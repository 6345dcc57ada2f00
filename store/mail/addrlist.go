package mail

import "strings"

// listParser cuts an address list into entries (RFC 5322 §3.4, with what people send).
type listParser struct {
	s     string
	pos   int
	group bool
	lone  [256]bool // opening characters that turned out never to be closed: from then on characters like others
}

// next reads up to the separator that ends an entry and returns it; 0 at the end of the list.
func (p *listParser) next() (*entry, byte) {
	e := new(entry)
	for p.pos < len(p.s) {
		c := p.s[p.pos]
		if p.lone[c] {
			c = 0
		}
		switch c {
		case '"':
			e.text.WriteString(p.quoted())
		case '(':
			e.comment = p.comment()
		case '<':
			e.angles = append(e.angles, p.angle())
		case '[':
			e.text.WriteString(p.until(']'))
		case ',', ';':
			p.pos++
			p.group = p.group && c != ';'
			return e, c
		case ':':
			p.colon(e)
		case '=':
			e.text.WriteString(p.word())
		default:
			e.text.WriteByte(p.s[p.pos])
			p.pos++
		}
	}
	return e, 0
}

// colon ends the name of a group; elsewhere it is a character like others.
func (p *listParser) colon(e *entry) {
	p.pos++
	if p.group || len(e.angles) > 0 || strings.Contains(e.text.String(), "@") {
		e.text.WriteByte(':')
		return
	}
	p.group = true
	*e = entry{}
}

// quoted reads a quoted string with its quotes.
func (p *listParser) quoted() string {
	for i := p.pos + 1; i < len(p.s); i++ {
		switch p.s[i] {
		case '\\':
			i++
		case '"':
			q := p.s[p.pos : i+1]
			p.pos = i + 1
			return q
		}
	}
	return p.never()
}

// comment reads a comment with those inside it and returns its text.
func (p *listParser) comment() string {
	depth, start := 0, p.pos+1
	for i := p.pos; i < len(p.s); i++ {
		switch p.s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.pos = i + 1
				return p.s[start:i]
			}
		}
	}
	return p.never()
}

// never passes over an opening character that nothing closes.
func (p *listParser) never() string {
	p.lone[p.s[p.pos]] = true
	p.pos++
	return ""
}

// word reads an encoded word whole: careless programs leave separators in it. Elsewhere it reads one character. It looks
// no further than maxWord for the end of a word, so that many beginnings without an end cost little.
func (p *listParser) word() string {
	n := 1
	near := p.s[p.pos:min(len(p.s), p.pos+maxWord)]
	if strings.HasPrefix(near, "=?") && strings.Contains(near[2:], "?=") {
		_, long, ok := parseWord(near)
		if text := near[:max(long, 1)]; ok && strings.HasSuffix(text, "?=") && !strings.ContainsAny(text, " <>") {
			n = long
		}
	}
	p.pos += n
	return p.s[p.pos-n : p.pos]
}

// angle reads <...>; without an end it reaches to the next separator.
func (p *listParser) angle() string {
	rest := p.s[p.pos+1:]
	i := strings.IndexAny(rest, "<>")
	if i >= 0 && rest[i] == '>' {
		p.pos += i + 2
		return rest[:i]
	}
	if i < 0 {
		i = len(rest)
	}
	if sep := strings.IndexAny(rest[:i], ",;"); sep >= 0 {
		i = sep
	}
	p.pos += i + 1
	return rest[:i]
}

// until reads up to and including a character.
func (p *listParser) until(end byte) string {
	n := strings.IndexByte(p.s[p.pos:], end) + 1
	if n == 0 {
		return p.never()
	}
	text := p.s[p.pos : p.pos+n]
	p.pos += n
	return text
}
