package mail

import (
	"slices"
	"strconv"
	"strings"
)

// ParseMedia reads a Content-Type or Content-Disposition value: its first word in lower case, and its parameters by
// name in lower case, decoded (RFC 2045 §5.1, RFC 2231, RFC 2047) and tolerant of everything that mail programs write.
func ParseMedia(value string) (media string, params map[string]string) {
	pieces := splitParams(value)
	media = firstWord(strings.ToLower(pieces[0]))
	raw := map[string]string{}
	var names []string
	for _, p := range pieces[1:] {
		name, v, ok := strings.Cut(p, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, seen := raw[name]; !ok || name == "" || seen || len(raw) >= maxParams {
			continue
		}
		raw[name] = paramValue(name, strings.TrimSpace(v))
		names = append(names, name)
	}
	params = map[string]string{}
	for _, name := range names {
		base, _, extended := strings.Cut(name, "*")
		if _, done := params[base]; !extended {
			if base == "boundary" {
				params[base] = raw[name] // compared with octets, never shown
			} else if !done {
				params[base] = Decode(raw[name])
			}
		} else if v, ok := extendedParam(raw, base); ok {
			params[base] = v // preferred to the plain one (RFC 2231 §3)
		}
	}
	return media, params
}

// maxParams bounds the parameters of one field.
const maxParams = 200

func firstWord(s string) string {
	s = strings.TrimLeft(s, " \t\"'")
	if i := strings.IndexAny(s, " \t(,\"'"); i >= 0 {
		s = s[:i]
	}
	return s
}

// splitParams cuts at semicolons outside of quotes. A quote that is never closed counts for nothing.
func splitParams(s string) []string {
	var pieces []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if quoted {
				i++
			}
		case '"':
			quoted = !quoted && strings.IndexByte(s[i+1:], '"') >= 0
		case ';':
			if !quoted {
				pieces = append(pieces, s[start:i])
				start = i + 1
			}
		}
	}
	return append(pieces, s[start:])
}

// paramValue removes quotes. An unquoted file name may have blanks in it; other values end at the first.
func paramValue(name, v string) string {
	if !strings.HasPrefix(v, `"`) {
		if strings.HasPrefix(name, "name") || strings.HasPrefix(name, "filename") {
			return v
		}
		return firstWord(v)
	}
	var out strings.Builder
	for i := 1; i < len(v); i++ {
		if v[i] == '"' {
			break
		}
		if v[i] == '\\' && i+1 < len(v) && (v[i+1] == '"' || v[i+1] == '\\') {
			i++
		}
		out.WriteByte(v[i])
	}
	return out.String()
}

// extendedParam puts a parameter together from name*, or name*0, name*1*, … (RFC 2231 §3, §4).
func extendedParam(raw map[string]string, base string) (string, bool) {
	if v, ok := raw[base+"*"]; ok {
		return decodeExtended(v, true), true
	}
	var joined strings.Builder
	encoded, found := false, false
	for i := range maxParams {
		name := base + "*" + strconv.Itoa(i)
		if v, ok := raw[name+"*"]; ok {
			if i == 0 {
				encoded = true
			}
			joined.WriteString(v)
		} else if v, ok := raw[name]; ok {
			if encoded {
				v = strings.ReplaceAll(v, "%", "%25")
			}
			joined.WriteString(v)
		} else {
			break
		}
		found = true
	}
	return decodeExtended(joined.String(), encoded), found
}

// decodeExtended decodes charset'language'%41%42.
func decodeExtended(v string, encoded bool) string {
	if !encoded {
		return Decode(v)
	}
	parts := strings.SplitN(v, "'", 3)
	charset := "utf-8"
	if len(parts) == 3 {
		charset, v = parts[0], parts[2]
	}
	return cleanLine(decodeText(unpercent(v), charset))
}

func unpercent(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16 {
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return out
}

// entityFields are what the fields of a part say of it.
type entityFields struct {
	media, charset, boundary, disposition, name, contentID, encoding string
}

// Longest values that a Part keeps, in octets.
const (
	maxToken    = 100
	maxBoundary = 200
	maxName     = 500
)

// readEntity reads the Content-* fields. fallback is the type of a part without one.
func readEntity(h Header, fallback string) entityFields {
	e := entityFields{media: fallback, encoding: clip(encodingName(h.Get("Content-Transfer-Encoding")), maxToken)}
	if value := h.Get("Content-Type"); value != "" {
		media, params := ParseMedia(value)
		e.media, e.charset = mediaType(media, params["name"] != ""), clip(params["charset"], maxToken)
		e.name = params["name"]
		if b := strings.TrimRight(params["boundary"], " "); len(b) <= maxBoundary {
			e.boundary = b
		}
	}
	if value := h.Get("Content-Disposition"); value != "" {
		media, params := ParseMedia(value)
		e.disposition = clip(media, maxToken)
		if params["filename"] != "" {
			e.name = params["filename"]
		}
	}
	e.name = clip(e.name, maxName)
	e.contentID = clip(strings.Trim(Decode(removeBlanks(h.Get("Content-Id"))), "<>"), maxName)
	return e
}

// mediaType is a type/subtype, or what stands for something else (RFC 2045 §5.2).
func mediaType(s string, named bool) string {
	kind, sub, ok := strings.Cut(s, "/")
	valid := func(s string) bool {
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?=`, r) })
	}
	switch {
	case ok && valid(kind) && valid(sub) && len(s) <= maxToken:
		return s
	case named:
		return "application/octet-stream"
	}
	return "text/plain"
}

// clip cuts a text to at most n octets without splitting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !isRuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func isRuneStart(b byte) bool { return b&0xc0 != 0x80 }

// isEncrypted reports whether a media type says that a message is encrypted as a whole.
func isEncrypted(media string, params map[string]string) bool {
	switch media {
	case "multipart/encrypted":
		return true
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return slices.Contains([]string{"enveloped-data", "authenveloped-data"}, strings.ToLower(params["smime-type"]))
	}
	return false
}

// Encrypted reports whether the header says that the message is encrypted with S/MIME or PGP as a whole. Where that is
// not certain (no smime-type) the answer is no.
func (h Header) Encrypted() bool { return isEncrypted(ParseMedia(h.Get("Content-Type"))) }
