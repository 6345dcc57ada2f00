// Package mime turns the parts of an opened message into what a page can show: text, safe HTML, attachments with safe
// names, a calendar entry.
//
// Flow: the part index of a message (mail.Part, from its card) says where each part lies in the stored message; a part
// is read there, its transfer encoding and charset undone, and only then looked at. Text and HTML choose the parts that
// are the body (tree.go); what is left is an attachment. Open reads one part with seeking, for ranges.
//
// Duty: all content is hostile. HTML passes two filters that do not trust each other: bluemonday with a closed list of
// elements and attributes (policy.go), then a rewriter (rewrite.go) that looks at every value, nests the tags properly
// and bounds their depth. What comes out has no script, no form, no id or name, no frame, no SVG or MathML, and fetches
// nothing: images are data URIs that were made here from images of the message (images.go), CSS is a list of known
// properties whose values hold no address (css.go). It is meant for a response of its own in a sandboxed frame
// (ARCHITECTURE 1.11); this package is the first of the two walls.
//
// Nothing here fails because content is malformed; errors are those of reading the body.
package mime
