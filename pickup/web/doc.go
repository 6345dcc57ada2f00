// Package web is what the recipients' site and the console share: the way of a request through the middleware, the
// message catalogue, the rendering of pages, cookies, and the style sheet.
//
// Flow of a request: Stack.Wrap gives it a reference, finds the client's address behind trusted proxies and the
// language, sets the security headers, answers old host names with 308, refuses cross-origin changes, bounds body and
// time, and hands it to the site's routes. Afterwards it writes one log line that names the route's pattern, never the
// path (KEYS K15), and turns a panic into the site's own error page. A page is rendered into a buffer by Pages.Write
// before its first octet goes out, so nobody ever sees half of one.
//
// Every text that people read passes through a Catalogue: English is the msgid, translations are PO files.
package web
