package mime

import (
	"path"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"postern/store/mail"
)

// maxFileName and maxExtension are in octets; 150 leaves room for what file systems and browsers add to a name.
const (
	maxFileName  = 150
	maxExtension = 16
)

// SafeName is the name to save a part under, on any system: one path element without control, format (bidi) or reserved
// characters, without leading dots, no device name, never empty.
func SafeName(p mail.Part) string {
	name := p.Name
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = norm.NFC.String(strings.Map(fileRune, strings.ToValidUTF8(name, "")))
	name = strings.Trim(strings.Join(strings.Fields(name), " "), ". ")
	if isDevice(name) {
		name = "_" + name
	}
	if name == "" {
		return fallbackName(p)
	}
	return shorten(name)
}

func fileRune(r rune) rune {
	switch {
	case unicode.In(r, unicode.Cc) && unicode.IsSpace(r):
		return ' '
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs), r == unicode.ReplacementChar:
		return -1
	case unicode.IsSpace(r), unicode.In(r, unicode.Zl, unicode.Zp):
		return ' '
	case strings.ContainsRune(`<>:"|?*`, r):
		return '_'
	}
	return r
}

// shorten cuts the stem of a name, so that the extension stays.
func shorten(name string) string {
	if len(name) <= maxFileName {
		return name
	}
	ext := path.Ext(name)
	if len(ext) > maxExtension {
		ext = ""
	}
	stem := strings.ToValidUTF8(name[:maxFileName-len(ext)], "")
	return strings.TrimRight(stem, ". ") + ext
}

// isDevice reports the names that Windows gives to devices, with any extension.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	rs := []rune(stem)
	return len(rs) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) && strings.ContainsRune("0123456789¹²³", rs[3])
}

// fallbackName is "attachment-2.pdf" for the second part.
func fallbackName(p mail.Part) string {
	n := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case r == '.':
			return '-'
		}
		return -1
	}, p.Path)
	if n == "" {
		n = "1"
	}
	return "attachment-" + n + extensionOf(p.Type)
}

// knownTypes are the types that a part may keep when it is handed out, by extension. The first of a type names it.
var knownTypes = []struct{ ext, typ string }{
	{".pdf", "application/pdf"}, {".png", "image/png"}, {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".gif", "image/gif"},
	{".webp", "image/webp"}, {".heic", "image/heic"}, {".tif", "image/tiff"}, {".tiff", "image/tiff"}, {".bmp", "image/bmp"},
	{".txt", "text/plain"}, {".csv", "text/csv"}, {".ics", "text/calendar"}, {".vcf", "text/vcard"},
	{".zip", "application/zip"}, {".7z", "application/x-7z-compressed"}, {".gz", "application/gzip"}, {".rtf", "application/rtf"},
	{".doc", "application/msword"}, {".xls", "application/vnd.ms-excel"}, {".ppt", "application/vnd.ms-powerpoint"},
	{".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
	{".odt", "application/vnd.oasis.opendocument.text"}, {".ods", "application/vnd.oasis.opendocument.spreadsheet"},
	{".odp", "application/vnd.oasis.opendocument.presentation"}, {".epub", "application/epub+zip"},
	{".mp3", "audio/mpeg"}, {".m4a", "audio/mp4"}, {".wav", "audio/wav"}, {".ogg", "audio/ogg"},
	{".mp4", "video/mp4"}, {".webm", "video/webm"}, {".mov", "video/quicktime"},
	{".p7m", "application/pkcs7-mime"}, {".asc", "application/pgp-encrypted"},
}

const octetStream = "application/octet-stream"

// SafeType is the media type to hand a part out with: its own if it is on a list of types that no browser runs as a page
// (neither HTML nor XML, SVG or script), else application/octet-stream. A part that only says it is octets is given the
// type of its extension.
func SafeType(p mail.Part) string {
	if p.Type == "" || p.Type == octetStream {
		ext := strings.ToLower(path.Ext(SafeName(p)))
		for _, k := range knownTypes {
			if k.ext == ext {
				return k.typ
			}
		}
		return octetStream
	}
	for _, k := range knownTypes {
		if k.typ == p.Type {
			return k.typ
		}
	}
	return octetStream
}

func extensionOf(typ string) string {
	switch typ {
	case "message/rfc822":
		return ".eml"
	case typeHTML:
		return ".html"
	}
	for _, k := range knownTypes {
		if k.typ == typ {
			return k.ext
		}
	}
	return ".bin"
}
