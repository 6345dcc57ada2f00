package mime

import (
	"path"
	"slices"
	"strings"

	"postern/store/mail"
)

// Attachments are the parts that the page lists: all that is neither the body nor an image shown inside it, nor of use
// to programs only (detached signatures, the AMP form of a mail).
func Attachments(parts []mail.Part) []mail.Part {
	root := tree(parts)
	body := append(bodyParts(parts, typePlain), bodyParts(parts, typeHTML)...)
	inline := inlineImages(root, hasType(body, typeHTML))
	var list []mail.Part
	for _, p := range root.leaves() {
		if !contains(body, p) && !contains(inline, p) && !forPrograms(p) {
			list = append(list, p)
		}
	}
	return list
}

func contains(parts []mail.Part, p mail.Part) bool {
	return slices.ContainsFunc(parts, func(q mail.Part) bool { return q.Path == p.Path && q.Offset == p.Offset })
}

func forPrograms(p mail.Part) bool {
	switch p.Type {
	case "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature", "text/x-amp-html":
		return true
	case "application/pgp-encrypted":
		const version = 64 // octets; it says "Version: 1" (RFC 3156 §4)
		return p.Size < version
	}
	return p.Size == 0 && p.Name == "" && strings.HasPrefix(p.Type, "text/")
}

// inlineImages are the images of multipart/related that the HTML body shows by their Content-ID. When they are too many
// to be put into the page, all of them are attachments.
func inlineImages(root *node, html bool) []mail.Part {
	var list []mail.Part
	var size int64
	var walk func(*node)
	walk = func(n *node) {
		for _, kid := range n.kids {
			p := kid.part
			if n.part.Type == "multipart/related" && p.ContentID != "" && inlineType(p.Type) && p.Disposition != "attachment" {
				list, size = append(list, p), size+p.Size
			}
			if p.IsContainer() {
				walk(kid)
			}
		}
	}
	walk(root)
	if !html || size > MaxImages {
		return nil
	}
	return list
}

// Encryption says in which way a message is sealed by its author, beside our own sealing.
type Encryption string

// The kinds of encryption.
const (
	SMIME Encryption = "S/MIME"
	PGP   Encryption = "PGP"
)

// Encrypted recognises S/MIME and PGP, the latter also as a block inside a plain text. It is empty for other messages.
func Encrypted(b Body, parts []mail.Part) Encryption {
	for _, n := range tree(parts).all() {
		switch n.part.Type {
		case "application/pkcs7-mime", "application/x-pkcs7-mime":
			if !wrapsSigned(b, n.part) {
				return SMIME
			}
		case "multipart/encrypted", "application/pgp-encrypted":
			return PGP
		}
	}
	return inlinePGP(b, parts)
}

// SignedOpaque reports whether the content is wrapped in an S/MIME signature: not encrypted, but only a mail program can
// show it.
func SignedOpaque(b Body, parts []mail.Part) bool {
	return slices.ContainsFunc(tree(parts).leaves(), func(p mail.Part) bool {
		return (p.Type == "application/pkcs7-mime" || p.Type == "application/x-pkcs7-mime") && wrapsSigned(b, p)
	})
}

func wrapsSigned(b Body, p mail.Part) bool { return contentType(b, p).is("smime-type", "signed-data") }

// all is n and what is in it.
func (n *node) all() []*node {
	list := []*node{n}
	for _, kid := range n.kids {
		list = append(list, kid.all()...)
	}
	return list
}

func inlinePGP(b Body, parts []mail.Part) Encryption {
	const enough = 4 << 10
	for _, p := range bodyParts(parts, typePlain) {
		if p.Type != typePlain {
			continue
		}
		text, _, err := readText(b, p, p.Charset, enough)
		if err == nil && (strings.HasPrefix(text, "-----BEGIN PGP MESSAGE-----") || strings.Contains(text, "\n-----BEGIN PGP MESSAGE-----")) {
			return PGP
		}
	}
	return ""
}

// Winmail finds the part in which Outlook packed formatting and attachments (TNEF). It is listed as an attachment too.
func Winmail(parts []mail.Part) (mail.Part, bool) {
	for _, p := range tree(parts).leaves() {
		if p.Type == "application/ms-tnef" || p.Type == "application/vnd.ms-tnef" || strings.EqualFold(path.Base(p.Name), "winmail.dat") {
			return p, true
		}
	}
	return mail.Part{}, false
}
