// Package pickup is the recipients' site: its routes and pages. The rules live in packages account and message; here
// forms become their calls and their answers become pages.
//
// Flow of a visit. A notification's link leads to GET /p/{token}: who wrote, until when, nothing of the content, no
// effect (I4). POST /p/{token} registers or signs in, opens the message and answers 303 to /m/{id}, where content is
// shown, never at an address with a token (KEYS K15). Every page of a signed-in person resumes the session for this one
// request. The author's HTML is a response of its own, sandboxed by its Content-Security-Policy, in a frame.
//
// Flow of an answer. A handler returns an error or writes a page; failureOf is the one mapping of errors to statuses. Pages are
// rendered into memory first. What people read comes from the catalogue of package web.
//
// The site works without script, and every change is a POST that the middleware has found to come from the site itself.
package pickup
