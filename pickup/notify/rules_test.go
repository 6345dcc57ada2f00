package notify

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"postern/store"
	"postern/store/mail"
)

var longLocal = strings.Repeat("l", 120)

// hostileNames are display names that try to become something else.
var hostileNames = []string{
	"Eve\r\nBcc: victim@evil.example\r\n\r\n<html>",
	"Eve\nX-Injected: yes", "Eve\x00\x1b[31m\x7f\u0085",
	`"><script>alert(1)</script><a href="https://evil.example">x</a>`,
	`Eve" <ceo@evil.example>`, "ceo@evil.example", "Eve ＠evil．example",
	"https://evil.example/pay", "HTTPS:evil.example", "//evil.example", "www.evil.example", "evil.example", "Eve evil。example now",
	"javascript:alert(1)", "mailto:eve", "tel:0900123456",
	"\u202eelpmaxe.live\u202c Eve", "\u2066Eve\u2069 evil\u200b.\u200bexample", "E\u00adve\ufeff",
	"{{.Link}} {{define \"x\"}}", "%s %[9]d %!d(MISSING) %", "=?utf-8?q?=0D=0ABcc:_victim=40evil.example?=",
	strings.Repeat("Very Long Name ", 40), strings.Repeat("x", 3000), "  ", "...", "12345", "محمد علي", "山田太郎", "Dr.med. Eva u.Co",
	"Ève\u0301\u0301\u0301", "\xff\xfeEve", "'-->]]><![endif]", "Eve <!--", "A\\B@evil.example",
}

// each composes every mail for every author given, and calls f.
func each(t *testing.T, c *Composer, authors []mail.Mailbox, f func(t *testing.T, m store.OwnMail)) {
	t.Helper()
	for i, author := range authors {
		for name, compose := range mails(t, author) {
			t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) {
				m, err := compose(c)
				if err != nil {
					t.Fatal(err)
				}
				f(t, m)
			})
		}
	}
}

// authors are people with ordinary, foreign and hostile names.
func authors(t *testing.T) []mail.Mailbox {
	t.Helper()
	list := []mail.Mailbox{maria(t)}
	for _, name := range hostileNames {
		list = append(list, mail.Mailbox{Name: name, Address: maria(t).Address})
	}
	return append(list, mail.Mailbox{Name: "Grüße", Address: address(t, "grüße@exämple.example")},
		mail.Mailbox{Name: strings.Repeat("n", 64), Address: address(t, longLocal+"@example.org")})
}

// neverWords is the list of ui/README.md.
var neverWords = regexp.MustCompile(`(?i)click here|click|urgent|act now|immediately|verify|confirm your|suspended|final notice|dear customer|` +
	`secure document|expires soon|hurry|attention|last chance|!`)

func TestNoMailSoundsLikeAPhish(t *testing.T) {
	t.Parallel()
	for _, id := range Phrases() {
		if m := neverWords.FindString(id); m != "" {
			t.Errorf("%q says %q", id, m)
		}
	}
	markup := regexp.MustCompile(`(?s)<!DOCTYPE.*?>|<!--.*?-->|<style>.*?</style>`)
	each(t, newComposer(t, nil), []mail.Mailbox{maria(t)}, func(t *testing.T, m store.OwnMail) {
		r := readMail(t, m.Raw)
		for what, text := range map[string]string{"subject": r.header.Get("Subject"), "text": r.text, "HTML": markup.ReplaceAllString(r.html, "")} {
			if found := neverWords.FindString(text); found != "" {
				t.Errorf("%s says %q", what, found)
			}
		}
		if regexp.MustCompile(`(?i)<(img|script|form|input|button|iframe|object|link)\b|url\(|@import|\sid=|\son[a-z]+=`).MatchString(r.html) {
			t.Error("the HTML holds an element or value that could fetch, run or hide something")
		}
	})
}

// TestDarkStyleOnlyColours: the one style element is there for readers who prefer dark. It sets colours and nothing
// else, and all of them are legible on the dark sheet.
func TestDarkStyleOnlyColours(t *testing.T) {
	t.Parallel()
	property := regexp.MustCompile(`[{;]\s*([a-z-]+): ([^;{]+)`)
	each(t, newComposer(t, nil), []mail.Mailbox{maria(t)}, func(t *testing.T, m store.OwnMail) {
		_, style, _ := strings.Cut(readMail(t, m.Raw).html, "<style>")
		style, rest, _ := strings.Cut(style, "</style>")
		if style == "" || strings.Contains(rest, "<style") {
			t.Fatal("not one style element")
		}
		for _, p := range property.FindAllStringSubmatch(style, -1) {
			value := strings.TrimSuffix(p[2], " !important")
			switch p[1] {
			case "color-scheme", "supported-color-schemes", "background-color", "border-color":
			case "color", "border-bottom-color":
				if n, err := strconv.ParseUint(strings.TrimPrefix(value, "#"), 16, 32); err != nil || (luminance(n)+0.05)/(luminance(darkSheet)+0.05) < legible {
					t.Errorf("%s is not legible on the dark sheet", value)
				}
			default:
				t.Errorf("the style sets %s", p[1])
			}
		}
	})
}

// darkSheet is what a mail's text stands on where the reader prefers dark, and legible how a colour must stand out from
// it (WCAG 2.2, 1.4.6).
const (
	darkSheet = 0x18201d
	legible   = 7.0
)

// luminance is WCAG's relative luminance.
func luminance(colour uint64) float64 {
	part := func(shift int) float64 {
		c := float64(colour>>shift&0xff) / 0xff
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

// TestEveryMailSaysWhoAndWhy is the "always" half of that list.
func TestEveryMailSaysWhoAndWhy(t *testing.T) {
	t.Parallel()
	each(t, newComposer(t, nil), []mail.Mailbox{maria(t)}, func(t *testing.T, m store.OwnMail) {
		r := readMail(t, m.Raw)
		for what, text := range map[string]string{"text": r.text, "HTML": r.html} {
			flat := strings.Join(strings.Fields(text), " ")
			for _, want := range []string{"You get this mail because", "01632 960 626", "County Hall, 1 Market Place, Exampleton ZZ99 1AA", "Example County Council", "2026, "} {
				if !strings.Contains(flat, want) {
					t.Errorf("%s lacks %q", what, want)
				}
			}
		}
	})
}

func TestEveryMailIsASCIIWithShortLines(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*Config){nil, func(c *Config) { c.Org.Name, c.Org.Short = "Région Île-de-Fränce 日本", "la région" }} {
		each(t, newComposer(t, change), authors(t), func(t *testing.T, m store.OwnMail) {
			if bytes.Contains(bytes.ReplaceAll(m.Raw, []byte("\r\n"), nil), []byte("\r")) || bytes.Contains(bytes.ReplaceAll(m.Raw, []byte("\r\n"), nil), []byte("\n")) {
				t.Error("a line does not end in CRLF")
			}
			for i, line := range strings.Split(string(m.Raw), "\r\n") {
				if len(line) > 78 && !strings.Contains(line, longLocal) { // one word cannot be folded
					t.Errorf("line %d has %d characters", i+1, len(line))
				}
				if strings.ContainsFunc(line, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
					t.Errorf("line %d is not ASCII: %q", i+1, line)
				}
			}
		})
	}
}

func TestAtMostOneLinkAloneOnItsLine(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`(?i)https?:|www\.`)
	each(t, newComposer(t, nil), authors(t), func(t *testing.T, m store.OwnMail) {
		r := readMail(t, m.Raw)
		lines := slices.DeleteFunc(strings.Split(r.text, "\n"), func(l string) bool { return !link.MatchString(l) })
		if len(lines) > 1 {
			t.Fatalf("links in the text part: %q", lines)
		}
		anchors := hrefs(t, r.html)
		if !slices.Equal(anchors, lines) {
			t.Errorf("text part links to %q, HTML part to %q", lines, anchors)
		}
		for _, l := range lines {
			if !strings.HasPrefix(l, "https://secure-mail.example.org/") || len(link.FindAllString(l, 2)) > 1 {
				t.Errorf("strange link line %q", l)
			}
			if !bytes.Contains(m.Raw, []byte("\r\n"+l+"\r\n")) {
				t.Errorf("the link is broken or not alone on its line as it travels (%s)", r.encoding)
			}
		}
	})
}

func hrefs(t *testing.T, page string) (list []string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				list = append(list, a.Val)
			}
		}
	}
	return list
}

func TestTextPartIs7bitWhenTheWordsAreASCII(t *testing.T) {
	t.Parallel()
	each(t, newComposer(t, nil), []mail.Mailbox{maria(t)}, func(t *testing.T, m store.OwnMail) {
		if r := readMail(t, m.Raw); r.encoding != "7bit" {
			t.Errorf("the text part travels as %s", r.encoding)
		}
	})
}

// TestHostileNamesStayNames renders every mail with names that want to be header fields, markup, addresses or links.
func TestHostileNamesStayNames(t *testing.T) {
	t.Parallel()
	c := newComposer(t, nil)
	plain := map[string][]string{}
	for name, compose := range mails(t, maria(t)) {
		m, err := compose(c)
		if err != nil {
			t.Fatal(err)
		}
		plain[name] = elementsOf(t, readMail(t, m.Raw).html)
	}
	dangerous := []string{"evil.example", "@evil", "javascript:", "mailto:", "tel:0", "//evil", "alert(1)</"}
	for _, hostile := range hostileNames {
		for name, compose := range mails(t, mail.Mailbox{Name: hostile, Address: maria(t).Address}) {
			m, err := compose(c)
			if err != nil {
				t.Fatal(err)
			}
			r := readMail(t, m.Raw)
			for _, f := range r.header.Fields {
				if !slices.Contains([]string{"Date", "From", "Reply-To", "To", "Subject", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version", "Content-Type"}, f.Name) {
					t.Errorf("%s from %q: field %q", name, hostile, f.Name)
				}
			}
			all := mail.Decode(r.header.Get("From")) + mail.Decode(r.header.Get("Reply-To")) + mail.Decode(r.header.Get("Subject")) + r.text + html.UnescapeString(r.html)
			for _, found := range dangerous {
				if strings.Contains(strings.ToLower(all), found) {
					t.Errorf("%s from %q: %q survives", name, hostile, found)
				}
			}
			if strings.ContainsFunc(all, func(r rune) bool { return unicode.In(r, unicode.Cf, unicode.Co) || unicode.IsControl(r) && r != '\n' }) {
				t.Errorf("%s from %q: control or format characters survive", name, hostile)
			}
			if got := elementsOf(t, r.html); !slices.Equal(got, plain[name]) && !slices.Equal(withoutBreaks(got), withoutBreaks(plain[name])) {
				t.Errorf("%s from %q: the name changed the markup to %q", name, hostile, got)
			}
			if from, err := r.header.Author(); err != nil || from.Address != c.from && name != "invitation-member" ||
				len([]rune(from.Name)) > 64 {
				t.Errorf("%s from %q: author %v %v", name, hostile, from, err)
			}
		}
	}
}

func elementsOf(t *testing.T, page string) (list []string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			list = append(list, n.Data)
		}
	}
	return list
}

// withoutBreaks drops what a missing name takes away: its own box and line, or the row of a browser without name.
func withoutBreaks(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "br" || s == "bdi" || s == "tr" || s == "td" })
}

func TestNoMailNamesTheTopic(t *testing.T) {
	t.Parallel()
	each(t, newComposer(t, nil), []mail.Mailbox{maria(t)}, func(t *testing.T, m store.OwnMail) {
		for _, secret := range []string{"Care", "plan", "[secure]"} {
			if told := secret == "[secure]" && strings.Contains(t.Name(), "invitation-member"); !told && bytes.Contains(m.Raw, []byte(secret)) {
				t.Errorf("the mail holds %q of the subject", secret)
			}
		}
		if m.Kind == store.KindNotification && m.Excerpt.Subject != "[secure] Care plan" {
			t.Error("the excerpt for the failure report is lost")
		}
		if m.Kind != store.KindNotification && m.Kind != store.KindReminder && m.Excerpt != (store.Excerpt{}) {
			t.Error("a later notice carries an excerpt")
		}
	})
}

func TestTheSecretIsInBodyPartsOnly(t *testing.T) {
	t.Parallel()
	m, id, err := newComposer(t, nil).Notification(testNotice(t))
	if err != nil {
		t.Fatal(err)
	}
	token := testLink[strings.LastIndexByte(testLink, '/')+1:]
	head, _, _ := bytes.Cut(m.Raw, []byte("\r\n\r\n"))
	for what, s := range map[string]string{"header": string(head), "Message-ID": id, "ENVID": m.EnvID, "MAIL FROM": m.From.String()} {
		if strings.Contains(s, token[5:20]) {
			t.Errorf("%s holds the secret", what)
		}
	}
	n := testNotice(t)
	n.Link = "https://elsewhere.example/p/" + token
	if _, _, err := newComposer(t, nil).Notification(n); err == nil || strings.Contains(err.Error(), token) {
		t.Errorf("foreign link: error %v", err)
	}
}

// recorder is a Catalogue that notes what it is asked for.
type recorder struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (r *recorder) Text(lang, id string, args ...any) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids[id] = true
	return English{}.Text(lang, id, args...)
}

func TestPhrasesIsWhatTheCatalogueIsAskedFor(t *testing.T) {
	t.Parallel()
	rec := &recorder{ids: map[string]bool{}}
	c := newComposer(t, func(cfg *Config) { cfg.Text = rec })
	for _, author := range []mail.Mailbox{maria(t), {Address: maria(t).Address}} {
		for name, compose := range mails(t, author) {
			if _, err := compose(c); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	for weeks := range 54 {
		for _, zone := range []string{"UTC", "Europe/London", "Europe/Berlin"} {
			c.zone, _ = time.LoadLocation(zone)
			c.write("").date(time.Date(2026, 1, 1+weeks*8, 12, 0, 0, 0, time.UTC)) // every month and every weekday
		}
	}
	known := map[string]bool{}
	for _, id := range Phrases() {
		if known[id] {
			t.Errorf("%q is listed twice", id)
		}
		known[id] = true
		if !rec.ids[id] {
			t.Errorf("no mail says %q", id)
		}
	}
	for id := range rec.ids {
		if !known[id] {
			t.Errorf("%q is not listed in Phrases", id)
		}
	}
}

// TestAnswersToTheMailGoWhereItSays: only a Reply-To of the author's makes an answer to the mail reach the author, and
// an address that needs SMTPUTF8 may not stand there.
func TestAnswersToTheMailGoWhereItSays(t *testing.T) {
	t.Parallel()
	foreign := mail.Mailbox{Name: "Grüße", Address: address(t, "grüße@example.org")}
	each(t, newComposer(t, nil), []mail.Mailbox{maria(t), foreign}, func(t *testing.T, m store.OwnMail) {
		r := readMail(t, m.Raw)
		if m.Kind != store.KindNotification && m.Kind != store.KindReminder {
			return
		}
		reaches := strings.Contains(strings.Join(strings.Fields(r.text), " "), "An answer to this mail reaches")
		if has := r.header.Has("Reply-To"); has != reaches {
			t.Errorf("Reply-To: %t, but the text says that an answer reaches the author: %t", has, reaches)
		}
	})
}
