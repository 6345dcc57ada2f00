package web

import (
	"net/http"
	"strings"
)

// CSP is a Content-Security-Policy. It begins with default-src 'none'; directives open what a page needs.
type CSP []string

// PagePolicy is the policy of every page of ours: style sheet, script, the mark, the frame of a message and forms, all
// from this site; nothing inline, nobody may frame it. There is no report-uri: reports would carry paths (KEYS K15).
func PagePolicy() CSP {
	return CSP{"default-src 'none'", "style-src 'self'", "img-src 'self'", "script-src 'self'", "connect-src 'none'",
		"frame-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"}
}

// MailPolicy is the policy of a document that holds an author's HTML (ARCHITECTURE 1.11): sandboxed without script,
// forms or this site's origin; inline styles and data images only. Only this site may frame it. A link that a reader
// opens in a new tab leaves the sandbox, for the site behind it would not work inside.
func MailPolicy() CSP {
	return CSP{"sandbox allow-popups allow-popups-to-escape-sandbox", "default-src 'none'", "img-src data:",
		"style-src 'unsafe-inline'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"}
}

// PrintPolicy is MailPolicy for the page that prints a message with our head above it: the style sheet is ours as well.
func PrintPolicy() CSP {
	return CSP{"sandbox allow-popups allow-popups-to-escape-sandbox", "default-src 'none'", "img-src 'self' data:",
		"style-src 'self' 'unsafe-inline'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}
}

// FilePolicy is the policy of a file that is saved: whatever opens it in a browser after all gets nothing.
func FilePolicy() CSP {
	return CSP{"sandbox", "default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}
}

func (c CSP) String() string { return strings.Join(c, "; ") }

// Set puts the policy into an answer, in place of the one that was there.
func (c CSP) Set(h http.Header) { h.Set("Content-Security-Policy", c.String()) }

// secure sets the headers of every answer. Referrer-Policy is strict-origin because no-referrer makes form posts carry
// "Origin: null" (KEYS K15).
func secure(h http.Header, https bool) {
	PagePolicy().Set(h)
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN") // for browsers without frame-ancestors, which is stricter
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()")
	if https {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
