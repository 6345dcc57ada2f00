// Package console is the administrators' site: its routes and pages. The rules, and the one table that says which role
// may do what, live in package admin; here forms become its calls and its answers become pages.
//
// Flow of a request. The middleware of package web does what it does for the recipients' site, and the console answers
// to its own host name only. Then the route table decides: a route is open (sign-in, set-up link, static files), or it
// names the action that it is for. Without a session it leads to the sign-in page; a role that may not do the action
// gets 403 before the handler runs, and package admin asks once more.
//
// Nothing here can open a message (I3, A7): there is no page with a subject, a text or an attachment's name, and
// whatever looks like a message's address answers 403. GET and HEAD change nothing; what cannot be taken back asks once
// more on a page of its own. The pages work without script.
package console
