package mime

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/url"
	"strings"

	"postern/store/mail"
)

// images finds the images that a body shows and makes data URIs of them, MaxImages octets in all.
type images struct {
	body Body
	byID map[string]mail.Part
	room int64
	err  error // the first error of reading the body
}

func newImages(b Body, parts []mail.Part) *images {
	im := &images{body: b, byID: map[string]mail.Part{}, room: MaxImages}
	for _, p := range parts {
		id := strings.ToLower(p.ContentID)
		if _, taken := im.byID[id]; id != "" && !taken && !p.IsContainer() {
			im.byID[id] = p
		}
	}
	return im
}

// find is a data URI for the address of an image, or "" when the image is not in the message, is no image, or there is no
// room left for it.
func (im *images) find(src string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(src), ":")
	switch strings.ToLower(scheme) {
	case "cid":
		return im.part(rest)
	case "data":
		return im.remake(rest)
	}
	return ""
}

func (im *images) part(id string) string {
	if plain, err := url.PathUnescape(id); err == nil {
		id = plain
	}
	p, ok := im.byID[strings.ToLower(strings.Trim(id, "<>"))]
	if !ok || p.Size > im.room || im.err != nil {
		return ""
	}
	r, err := Open(im.body, p)
	if err != nil {
		im.err = err
		return ""
	}
	data, err := io.ReadAll(io.LimitReader(r, im.room+1))
	if err != nil {
		im.err = err
		return ""
	}
	uri := im.uri(data)
	if uri == "" { // no image: a body that asks for it again must not make us read it again
		delete(im.byID, strings.ToLower(strings.Trim(id, "<>")))
	}
	return uri
}

// remake takes the image out of a data URI and makes a new one, so that none of the author's stays.
func (im *images) remake(rest string) string {
	head, content, ok := strings.Cut(rest, ",")
	if !ok || !strings.HasSuffix(strings.ToLower(strings.TrimSpace(head)), ";base64") {
		return ""
	}
	if plain, err := url.PathUnescape(content); err == nil {
		content = plain
	}
	data, err := io.ReadAll(mail.DecodePart(strings.NewReader(content), "base64"))
	if err != nil {
		return ""
	}
	return im.uri(data)
}

// uri believes the octets, not what was said about them.
func (im *images) uri(data []byte) string {
	typ := sniffImage(data)
	if typ == "" || int64(len(data)) > im.room {
		return ""
	}
	im.room -= int64(len(data))
	return "data:" + typ + ";base64," + base64.StdEncoding.EncodeToString(data)
}

func sniffImage(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return "image/gif"
	case len(data) > 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return "image/webp"
	}
	return ""
}

// inlineType reports the image types that are shown inside a body.
func inlineType(typ string) bool {
	switch typ {
	case "image/png", "image/jpeg", "image/jpg", "image/pjpeg", "image/gif", "image/webp":
		return true
	}
	return false
}
