package demo

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"postern/pickup/web"
)

//go:embed outbox.html
var files embed.FS

// outboxPage is what outbox.html shows.
type outboxPage struct {
	Mails   []View
	Shown   *View
	Tab     string // html, text, source, headers
	Site    string
	Command string // that sends another mail
	Assets  *web.Assets
}

// Outbox shows captured mail in a browser.
type Outbox struct {
	capture *Capture
	page    *template.Template
	assets  *web.Assets
	site    string
	command string
}

// NewOutbox makes the page. site is the recipients' site; command is a line that sends another mail.
func NewOutbox(c *Capture, site, command string) (*Outbox, error) {
	assets, err := web.NewAssets()
	if err != nil {
		return nil, fmt.Errorf("outbox page: %w", err)
	}
	page, err := template.New("outbox.html").Funcs(template.FuncMap{"icon": web.Icon}).ParseFS(files, "outbox.html")
	if err != nil {
		return nil, fmt.Errorf("outbox page: %w", err)
	}
	return &Outbox{capture: c, page: page, assets: assets, site: site, command: command}, nil
}

// Handler is every route of the page. None changes anything.
func (o *Outbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", o.show)
	mux.HandleFunc("GET /mail/{n}", o.show)
	mux.HandleFunc("GET /mail/{n}/html", o.html)
	mux.HandleFunc("GET /mail/{n}/message.eml", o.eml)
	mux.HandleFunc("GET /static/{file}", o.assets.ServeFile(http.NotFound))
	return mux
}

func (o *Outbox) show(w http.ResponseWriter, r *http.Request) {
	page := outboxPage{Site: o.site, Command: o.command, Assets: o.assets, Tab: r.URL.Query().Get("view")}
	for _, m := range o.capture.Mails() {
		v := m.View()
		page.Mails = append(page.Mails, v)
		if page.Shown == nil && (r.PathValue("n") == "" || r.PathValue("n") == strconv.Itoa(m.N)) {
			page.Shown = &v
		}
	}
	if r.PathValue("n") != "" && page.Shown == nil {
		http.NotFound(w, r)
		return
	}
	if page.Tab == "" && page.Shown != nil {
		page.Tab = "text"
		if page.Shown.HTML != "" {
			page.Tab = "html"
		}
	}
	var b bytes.Buffer
	if err := o.page.Execute(&b, page); err != nil {
		http.Error(w, "the page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	web.PagePolicy().Set(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Write(b.Bytes()) // a browser that went away has nobody to tell
}

func (o *Outbox) find(w http.ResponseWriter, r *http.Request) (Mail, bool) {
	n, err := strconv.Atoi(r.PathValue("n"))
	m, ok := o.capture.Find(n)
	if err != nil || !ok {
		http.NotFound(w, r)
		return Mail{}, false
	}
	return m, true
}

// html is the mail's own document. Its policy lets it run nothing and fetch nothing.
func (o *Outbox) html(w http.ResponseWriter, r *http.Request) {
	if m, ok := o.find(w, r); ok {
		web.MailPolicy().Set(w.Header())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		fmt.Fprint(w, m.View().HTML)
	}
}

func (o *Outbox) eml(w http.ResponseWriter, r *http.Request) {
	if m, ok := o.find(w, r); ok {
		w.Header().Set("Content-Type", "message/rfc822")
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"mail-%d.eml\"", m.N))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(m.Raw)
	}
}
