package web

import (
	"regexp"
	"strings"
)

// browserMark finds a browser and its main version in a User-Agent. The order matters: most browsers also claim to be
// Chrome and Safari.
type browserMark struct {
	name string
	re   *regexp.Regexp
}

func browserMarks() []browserMark {
	return []browserMark{
		{"Edge", regexp.MustCompile(`\bEdg(?:e|A|iOS)?/(\d{1,4})`)},
		{"Opera", regexp.MustCompile(`\b(?:OPR|Opera)/(\d{1,4})`)},
		{"Samsung Internet", regexp.MustCompile(`\bSamsungBrowser/(\d{1,4})`)},
		{"Firefox", regexp.MustCompile(`\b(?:Firefox|FxiOS)/(\d{1,4})`)},
		{"Chrome", regexp.MustCompile(`\b(?:HeadlessChrome|Chrome|CriOS|Chromium)/(\d{1,4})`)},
		{"Safari", regexp.MustCompile(`\bVersion/(\d{1,4})[\d.]* (?:Mobile/\w+ )?Safari/`)},
	}
}

// systems are looked for in this order: Android also says Linux, iPads also say Mac OS X.
var systems = [...][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"},
	{"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}}

// Browsers labels User-Agents for people: session lists, the welcome mail, the facts for the help desk (C7).
type Browsers struct{ marks []browserMark }

// NewBrowsers makes one.
func NewBrowsers() *Browsers { return &Browsers{browserMarks()} }

// Label is "Firefox 151 on Windows", as far as the field says it; "" for what is no known browser. It holds nothing
// that the visitor could make up but a version number.
func (b *Browsers) Label(userAgent string) string {
	const longest = 512
	ua := userAgent[:min(len(userAgent), longest)]
	var label string
	for _, m := range b.marks {
		if found := m.re.FindStringSubmatch(ua); found != nil {
			label = m.name + " " + found[1]
			break
		}
	}
	for _, s := range systems {
		if label != "" && strings.Contains(ua, s[0]) {
			return label + " on " + s[1]
		}
	}
	return label
}
