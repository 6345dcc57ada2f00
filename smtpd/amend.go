package smtpd

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/emersion/go-smtp"

	"postern/store"
)

// barePostmaster is the one path that has no domain.
const barePostmaster = "<postmaster>"

// orcptType finds the address type of an ORCPT parameter, which is any atom (RFC 3461 §4.2).
var orcptType = regexp.MustCompile("(?i)([ \\t]ORCPT=)([a-z0-9!#$%&'*+/?^_`{|}~-]+);")

// amend gives RCPT commands the form without which go-smtp refuses them: <postmaster> gets its domain, and an original
// recipient of a type that it does not know is called one of mail. Its value is xtext whatever its type; orcptOf reads
// the type from the command as received.
func (s *Server) amend(line []byte) []byte {
	const verb = "RCPT TO:"
	if len(line) < len(verb) || !strings.EqualFold(string(line[:len(verb)]), verb) {
		return line
	}
	params := line[len(verb):]
	path := bytes.TrimLeft(params, " \t")
	n := len(barePostmaster)
	bare := len(path) > n && strings.EqualFold(string(path[:n]), barePostmaster) && strings.ContainsRune(" \t\r", rune(path[n]))
	if !bare && bytes.IndexByte(params, ';') < 0 { // nearly all commands
		return line
	}
	if bare {
		params = append([]byte("<postmaster@"+store.DomainKey(s.cfg.Host)+">"), path[n:]...)
	}
	params = orcptType.ReplaceAllFunc(params, func(m []byte) []byte {
		if known(orcptType.FindSubmatch(m)[2]) {
			return m
		}
		return orcptType.ReplaceAll(m, []byte("${1}"+string(smtp.DSNAddressTypeRFC822)+";"))
	})
	return append([]byte(verb), params...)
}

// known reports whether go-smtp knows a type of address.
func known(kind []byte) bool {
	return bytes.EqualFold(kind, []byte(smtp.DSNAddressTypeRFC822)) || bytes.EqualFold(kind, []byte(smtp.DSNAddressTypeUTF8))
}

// orcptOf is ORCPT as "type;address", decoded. command is the RCPT as received.
func orcptOf(opts *smtp.RcptOptions, command string) string {
	if opts.OriginalRecipient == "" {
		return ""
	}
	kind := string(opts.OriginalRecipientType)
	if all := orcptType.FindAllStringSubmatch(command, -1); len(all) > 0 {
		kind = all[len(all)-1][2]
	}
	return strings.ToLower(kind) + ";" + opts.OriginalRecipient
}
