package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
)

// shape is a mail as one kind of program writes it: testdata/mail/NAME.eml, whose line ends become CRLF, and in which
// @TAG@ stands where a sender writes the tag.
type shape struct {
	name    string
	tagged  string // for @TAG@; empty: "[secure] "
	plain   string // for @TAG@ in unflagged mail
	subject string // as the page shows it
	head    []string
	text    []string // in the plain text
	html    []string // in the HTML view; none: the mail has no HTML
	images  []string // SHA-256 of the images that the HTML view shows, in order
	files   []attached
	notes   []string // what the page says about the kind of mail
}

// attached is an entry of the list of attachments. What it holds was worked out by another MIME reader.
type attached struct {
	name, kind, sum string
}

const bobsAddress = "bob@ext.example"

// shapes are the mails of TestClients and of the exactness tests.
func shapes() []shape {
	return []shape{
		{name: "outlook-word", subject: "Care plan – first draft", head: []string{"Example, Alice", "alice@example.org"},
			text:   []string{"the plan’s first draft is attached. It costs € 1,250.00 – for now.", "• carers twice a day"},
			html:   []string{"the plan’s <b>first draft</b>", "<table", "Carers", `alt="County logo"`},
			images: []string{"bd28598e019bea08cdf1a929affc05f8adec76df05c7a0392864ee7b3a6046c5"},
			files: []attached{
				{"Care plan (draft).docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "f37842b612f0938dcfdc016e2d8050d09d3fd5466c055fb0d32d3eb179542098"},
				{"Kostenübersicht 2026.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "8b7cd1ba818da4a2d9b09decf783cdb52d5dd92b6154a16312c9d8116ce9ee2a"},
			}},
		{name: "outlook-tnef", subject: "Minutes of Monday", text: []string{"The minutes are in the attachment."}, notes: []string{"winmail.dat"},
			files: []attached{{"winmail.dat", "application/octet-stream", "78b96540a491d48814526a352946373f5767d6025ca72f6f5ea57872d0b0d5fe"}}},
		{name: "apple-rich", subject: "Photo of the ramp", text: []string{"Here is the ramp’s photo:", "It is 1½ metres wide."},
			html: []string{"<b>ramp’s</b>", "1½ metres"}, images: []string{"18adcf77435ae59e1ad0c51539f9e31061525a6d4df9f9ca5b00aa86d7ad1f2e"}},
		{name: "apple-mixed", subject: "Two papers", text: []string{"The first paper is above this line.", "And this is the end.", "Sent from my iPad"},
			files: []attached{{"Bescheid für Bob.pdf", "application/pdf", "83a700b638cfe233c03bf66a284083b872efe7ba4ec7a0e5071a45b9ef9669f0"}}},
		{name: "gmail", subject: "Re: Invoice", head: []string{"Carol, at home", "carol@ext.example", "Dave Example"},
			text: []string{"Yes – please pay the lower line.", "https://www.example.org/pay?case=7&lang=en", "> Is the amount right?"},
			html: []string{"Yes – please pay the", `href="https://www.example.org/pay?case=7&amp;lang=en"`, "<blockquote", "Is the amount right?"},
			files: []attached{
				{"amounts.csv", "text/csv", "65a270eec926b5491bc3a4f5d5173687c22613e8307ec9739756c292d55a01c6"},
				{"receipt.jpg", "image/jpeg", "bf57ecdd4e0a9823e88a678d90e39ea6b06a636df7deedd516d4d563f5a7810a"},
			}},
		{name: "thunderbird", subject: "Flowing text", head: []string{"Alice Exämple"},
			text: []string{
				"Dieser Absatz ist länger als eine Zeile und wurde deshalb beim Senden weich umbrochen, er gehört aber zusammen.",
				"> Ein Zitat, das ebenfalls länger ist als eine Zeile und weich umbrochen wurde.", "\n>keine Zitatzeile", "\n-- \nAlice",
			},
			files: []attached{
				{"alice.vcf", "text/vcard", "dae3c11242388883468cb932dbd49ffd8f0a5ff53e3b0aebf0c670df8a485bb2"},
				{"Übersicht der sehr langen Liste aller Anlagen zum Bescheid vom zweiten März – Teil 1.odt", "application/vnd.oasis.opendocument.text", "217f30e3e83c15c2f22dfeb2ff67a60df58b7b11deaf9a1e139f4109736a2896"},
			}},
		{name: "scanner", subject: "Scanned from MFP-3050", text: []string{"Device Name: MFP-3050"},
			files: []attached{{"doc20260302140000.pdf", "application/pdf", sumOf(scannedPDF())}}},
		{name: "phone", subject: "🎂 Party at Bob’s place",
			tagged: "=?utf-8?B?W3NlYw==?=\r\n =?utf-8?B?dXJlXSDwnw==?=\r\n =?utf-8?B?joIgUGFydHkg?=\r\n =?utf-8?B?YXQgQm9i4oCZcyBwbGFjZQ==?=",
			plain:  "=?utf-8?B?8J8=?=\r\n =?utf-8?B?joIgUGFydHkg?=\r\n =?utf-8?B?YXQgQm9i4oCZcyBwbGFjZQ==?=",
			text:   []string{"Happy birthday 🎂👩‍👩‍👧 and all the best – Łódź, Ωμέγα, שלום"},
			files:  []attached{{"🎂.HEIC", "image/heic", "8b3512a51ea3f6e49d1a98f5e933e3720d4994e89df09a6fca41e4df23dd6af2"}}},
		{name: "iso-2022-jp", subject: "予算の件", head: []string{"山田アリス"}, text: []string{"ボブ様", "予算の資料をお送りします。"},
			files: []attached{{"予算.pdf", "application/pdf", "b88f4ac0723b31921b6d3a0d560ec67fa6fb29d4e19053f7bb3659b24715d385"}}},
		{name: "windows-1252", subject: "Café’s price is € 3,50", text: []string{"The café’s price is € 3,50 – “fair”."}, html: []string{"The café’s price is € 3,50 – “fair”."}},
		{name: "calendar", subject: "Case conference", text: []string{"We talk about the plan."}, html: []string{"<i>plan</i>"},
			notes: []string{"Case conference", "County Hall, room 4", "10 July 2026", "10:00", "11:30", "Alice Example"},
			files: []attached{{"", "text/calendar", "c42707eacea6c7283c42a7925a76a411d2769aeb8d8a97dce5df92fb962efa2b"}}},
		{name: "smime-signed", subject: "Signed words", text: []string{"The signed words of Alice."},
			files: []attached{{"signed.pdf", "application/pdf", "d2e416a721e7ad1b5a17e4dfc32ca561ba3fc4b73bb799052e069be56fe76ce6"}}},
		{name: "smime-encrypted", subject: "Sealed twice", notes: []string{"S/MIME", "encrypted this message once more"},
			files: []attached{{"smime.p7m", "application/pkcs7-mime", "589aa558acf799b5da9a2f8932015da9f74e4461363437a1df52706760ad4b71"}}},
		{name: "pgp-mime", subject: "...", notes: []string{"PGP", "encrypted this message once more"},
			files: []attached{{"encrypted.asc", "", "d57d5be7689ee8113f17c31b3b3fe8bd4116c3dbabe64906b4fc48177c56e945"}}},
		{name: "bcc", subject: "For Carol, and quietly for Bob", head: []string{"carol@ext.example", "blind copy"}, text: []string{"Carol shall not know who else reads this."}},
		{name: "mailing-list", subject: "[Carers] New rota", head: []string{"Carers", "carers@lists.example.org"}, text: []string{"The new rota begins in April.", "Carers mailing list"}},
		{name: "empty-body", subject: "Nothing inside", notes: []string{"This message has no text."}},
		{name: "header-only", subject: "Only a header", notes: []string{"This message has no text."}},
		{name: "undeclared-8bit", subject: "Grüße", head: []string{"Alice Exämple"}, text: []string{"Schöne Grüße aus Köln, ohne jede Angabe."}},
		{name: "forward", subject: "Fwd: Bericht", text: []string{"See the attached mail, which came yesterday."},
			files: []attached{{"Bericht.eml", "", sumOf(between(eml("forward"), "Content-Transfer-Encoding: 7bit\r\n\r\nFrom: Carol", "\r\n--outer--", "From: Carol"))}}},
	}
}

// flagged is the mail with the tag, raw without.
func (s shape) flagged() []byte {
	if s.tagged != "" {
		return s.fill(s.tagged)
	}
	return s.fill("[secure] ")
}

func (s shape) raw() []byte { return s.fill(s.plain) }

func (s shape) fill(tag string) []byte {
	raw := bytes.ReplaceAll(eml(s.name), []byte("@TAG@"), []byte(tag))
	// The scanner writes a file of 2 MiB as one line.
	return bytes.Replace(raw, []byte("@PDF@"), []byte(base64.StdEncoding.EncodeToString(scannedPDF())), 1)
}

func eml(name string) []byte {
	raw, err := os.ReadFile(filepath.Join("testdata", "mail", name+".eml"))
	if err != nil {
		panic(err)
	}
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}

// between is what stands behind the first mark and before the next end mark; keep is the part of the first mark that
// belongs to it.
func between(raw []byte, mark, end, keep string) []byte {
	at := bytes.Index(raw, []byte(mark))
	rest := raw[at+len(mark)-len(keep):]
	return rest[:bytes.Index(rest, []byte(end))]
}

func scannedPDF() []byte {
	const size = 2 << 20
	data := make([]byte, 0, size)
	data = append(data, "%PDF-1.4\n"...)
	for n := uint32(1); len(data) < size; {
		n = n*1664525 + 1013904223
		data = append(data, byte(n>>24))
	}
	return data
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// stored is what the site keeps: the mail as sent but for its Bcc fields.
func (s shape) stored() []byte {
	raw := s.flagged()
	for _, field := range []string{"BCC: bob@ext.example,\r\n\terin@ext.example\r\n", "bcc : Frank <frank@ext.example>\r\n", "Resent-Bcc: grace@ext.example\r\n"} {
		raw = bytes.Replace(raw, []byte(field), nil, 1)
	}
	return raw
}
