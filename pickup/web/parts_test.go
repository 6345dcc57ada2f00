package web_test

import (
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"postern/pickup/web"
)

func TestBrowserLabels(t *testing.T) {
	t.Parallel()
	b := web.NewBrowsers()
	for ua, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:151.0) Gecko/20100101 Firefox/151.0":                                                           "Firefox 151 on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Safari/537.36 Edg/149.0.0.0":              "Edge 149 on Windows",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36":                              "Chrome 156 on Linux",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1":    "Safari 18 on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                      "Safari 18 on macOS",
		"Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": "Samsung Internet 28 on Android",
		"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/149.0.7000.1 Mobile/15E148 Safari/604.1":       "Chrome 149 on iPad",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36 OPR/110.0":                   "Opera 110 on ChromeOS",
		"curl/8.5.0": "", "": "", "Firefox/<script>alert(1)</script>": "", "Firefox/99999999999": "Firefox 9999",
	} {
		if got := b.Label(ua); got != want {
			t.Errorf("%q is %q, want %q", ua, got, want)
		}
	}
}

func TestCookiesByScheme(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cookies web.Cookies
		life    time.Duration
		want    string
	}{
		{web.Cookies{HTTPS: true, Name: "postern"}, 0, "__Host-postern=v; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{web.Cookies{HTTPS: true, Name: "postern-console"}, time.Hour, "__Host-postern-console=v; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		{web.Cookies{Name: "postern"}, 0, "postern=v; Path=/; HttpOnly; SameSite=Lax"},
	} {
		w := httptest.NewRecorder()
		test.cookies.Set(w, test.cookies.Session(), "v", test.life)
		if got := w.Header().Get("Set-Cookie"); got != test.want {
			t.Errorf("cookie %q, want %q", got, test.want)
		}
	}
	w := httptest.NewRecorder()
	web.Cookies{HTTPS: true, Name: "postern"}.Clear(w, "__Host-postern")
	if got := w.Header().Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-postern=; Path=/; Max-Age=0; HttpOnly; Secure") {
		t.Errorf("cleared cookie: %q", got)
	}
}

func TestSpeakerSaysDatesAndSizes(t *testing.T) {
	t.Parallel()
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	s := web.NewSpeaker(catalogue(t), "en", london)
	at := time.Date(2026, 6, 9, 9, 42, 7, 0, time.UTC)
	for _, test := range []struct {
		name string
		got  template.HTML
		want string
	}{
		{"day", s.Day(at), `<time datetime="2026-06-09">9 June</time>`},
		{"date", s.Date(at), `<time datetime="2026-06-09">Tuesday 9 June 2026</time>`},
		{"when", s.When(at), `<time datetime="2026-06-09T10:42+01:00">Tuesday 9 June 2026, 10:42</time>`},
		{"until", s.Until(at), `<time datetime="2026-06-09T10:42+01:00">Tuesday 9 June 2026, 10:42 BST</time>`},
		{"moment", s.Moment(at), `Tuesday 9 June 2026, 10:42:07 BST`},
		{"next day here", s.Day(time.Date(2026, 7, 8, 23, 30, 0, 0, time.UTC)), `<time datetime="2026-07-09">9 July</time>`},
		{"bytes", s.Size(999), "999 bytes"}, {"one", s.Size(1), "1 byte"}, {"none", s.Size(0), "0 bytes"},
		{"kilo", s.Size(88_400), "88 KB"}, {"no 1000 KB", s.Size(999_700), "1 MB"}, {"mega", s.Size(1_240_000), "1.2 MB"}, {"giga", s.Size(2_000_000_000), "2 GB"},
		{"round", s.Size(25_000_000), "25 MB"}, {"giga", s.Size(3_500_000_000), "3.5 GB"},
		{"escaped", s.T("Hello %s & co", `<b onclick="x">`), `Hello &lt;b onclick=&#34;x&#34;&gt; &amp; co`},
		{"HTML stays", s.T("Hello %s", template.HTML("<b>you</b>")), `Hello <b>you</b>`},
		{"verbs in arguments", s.T("Hello %s", "100%d"), "Hello 100%d"},
	} {
		if string(test.got) != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}

// TestSpeakerSpeaksEveryLanguage: order, names, zones, decimals and units are the language's own.
func TestSpeakerSpeaksEveryLanguage(t *testing.T) {
	t.Parallel()
	c, err := web.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	tags := regexp.MustCompile(`<[^>]*>`)
	for lang, want := range map[string][6]string{
		"en": {"Tuesday 9 June 2026, 10:42 BST", "1 August", "11:42:07 CEST", "88 KB", "1.2 MB", "Sent"},
		"de": {"Dienstag, 9. Juni 2026, 10:42 UTC+1", "1. August", "11:42:07 MESZ", "88 kB", "1,2 MB", "Gesendet"},
		"fr": {"mardi 9 juin 2026, 10:42 UTC+1", "1er août", "11:42:07 UTC+2", "88 ko", "1,2 Mo", "Envoyés"},
		"es": {"martes, 9 de junio de 2026, 10:42 UTC+1", "1 de agosto", "11:42:07 UTC+2", "88 kB", "1,2 MB", "Enviados"},
		"pl": {"wtorek, 9 czerwca 2026, 10:42 UTC+1", "1 sierpnia", "11:42:07 UTC+2", "88 KB", "1,2 MB", "Wysłane"},
		"cy": {"9 Mehefin 2026 (dydd Mawrth), 10:42 BST", "1 Awst", "11:42:07 CEST", "88 KB", "1.2 MB", "Anfonwyd"},
		"ar": {"الثلاثاء 9 يونيو 2026، الساعة 10:42 UTC+1", "1 أغسطس", "11:42:07 UTC+2", "88 كيلوبايت", "1.2 ميغابايت", "المرسلة"},
	} {
		at := time.Date(2026, 6, 9, 9, 42, 7, 0, time.UTC)
		here, there := web.NewSpeaker(c, lang, london), web.NewSpeaker(c, lang, berlin)
		got := [6]template.HTML{here.Until(at), here.Day(time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)), there.Moment(at), here.Size(88_000),
			here.Size(1_240_000), here.C("messages", "Sent")}
		for i := range want {
			if text := tags.ReplaceAllString(string(got[i]), ""); !strings.HasSuffix(text, want[i]) {
				t.Errorf("%s: %q, want %q", lang, text, want[i])
			}
		}
	}
	tokyo := time.Date(2026, 6, 9, 9, 42, 7, 0, time.UTC).In(time.FixedZone("JST", 9*3600+1800))
	if got := web.NewSpeaker(c, "de", tokyo.Location()).Moment(tokyo); !strings.HasSuffix(string(got), " UTC+9:30") {
		t.Errorf("a zone without a word: %q", got)
	}
}

func TestAssetsAreKeptByTheirDigest(t *testing.T) {
	t.Parallel()
	a, err := web.NewAssets()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /static/{file}", a.ServeFile(http.NotFound))
	get := func(target string, header ...string) *http.Response {
		r := httptest.NewRequest("GET", target, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Result()
	}
	css := get(a.URL("postern.css"))
	if css.Header.Get("Content-Type") != "text/css; charset=utf-8" || css.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" ||
		css.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("style sheet: %v", css.Header)
	}
	if got := get("/static/postern.css?v=old").Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("an old address is kept: %q", got)
	}
	if got := get(a.URL("postern.css"), "If-None-Match", css.Header.Get("ETag")).StatusCode; got != http.StatusNotModified {
		t.Errorf("unchanged file answers %d", got)
	}
	for _, name := range []string{"nothing.css", "..%2fdoc.go", "static.go"} {
		if got := get("/static/" + name).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s answers %d", name, got)
		}
	}
	if err := a.Add("page.html", nil); err == nil {
		t.Error("a file of an unknown kind is served")
	}
}

func TestStyleSheetAndScriptFetchNothing(t *testing.T) {
	t.Parallel()
	a, err := web.NewAssets()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postern.css", "enhance.js", "mark.svg"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetPathValue("file", name)
		w := httptest.NewRecorder()
		a.ServeFile(http.NotFound)(w, r)
		body := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
		for _, banned := range []string{"http://", "https://", "url(", "@import", "eval(", "innerHTML", "document.write"} {
			if strings.Contains(body, banned) {
				t.Errorf("%s holds %q", name, banned)
			}
		}
	}
}

func TestPagesAreWholeOrNothing(t *testing.T) {
	t.Parallel()
	assets, err := web.NewAssets()
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		"layout.html": {Data: []byte(`<title>{{block "title" .}}{{end}}</title>{{block "main" .}}{{end}}`)},
		"_part.html":  {Data: []byte(`{{define "part"}}{{t "Sign in"}}{{end}}`)},
		"good.html":   {Data: []byte(`{{define "title"}}{{t "Sign in"}}{{end}}{{define "main"}}{{template "part"}} {{.}}{{end}}`)},
		"bad.html":    {Data: []byte(`{{define "main"}}begins {{.Missing.Field}}{{end}}`)},
	}
	pages, err := web.NewPages(web.PagesConfig{Files: files, Catalogue: catalogue(t), Assets: assets})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := pages.Write(w, httptest.NewRequest("GET", "/", nil), http.StatusTeapot, "good", "<x>"); err != nil {
		t.Fatal(err)
	}
	if got := w.Body.String(); got != "<title>Sign in</title>Sign in &lt;x&gt;" || w.Code != http.StatusTeapot {
		t.Errorf("page: %d %q", w.Code, got)
	}
	w = httptest.NewRecorder()
	if err := pages.Write(w, httptest.NewRequest("GET", "/", nil), http.StatusOK, "bad", struct{}{}); err == nil || w.Body.Len() != 0 {
		t.Errorf("a page that fails sent %q, error %v", w.Body, err)
	}
	if err := pages.Write(w, httptest.NewRequest("GET", "/", nil), http.StatusOK, "none", nil); err == nil {
		t.Error("a page that does not exist is written")
	}
	head := httptest.NewRecorder()
	if err := pages.Write(head, httptest.NewRequest("HEAD", "/", nil), http.StatusOK, "good", ""); err != nil || head.Body.Len() != 0 || head.Header().Get("Content-Length") == "0" {
		t.Errorf("HEAD: %q %v %v", head.Body, head.Header(), err)
	}
	files["broken.html"] = &fstest.MapFile{Data: []byte(`{{define "main"}}{{t "x"`)}
	if _, err := web.NewPages(web.PagesConfig{Files: files, Catalogue: catalogue(t), Assets: assets}); err == nil {
		t.Error("a broken template is found only when somebody looks at it")
	}
}

func TestSlideWorksWithoutDeadlines(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/", strings.NewReader("body"))
	slid := web.Slide(w, r)
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != "body" {
		t.Errorf("body %q, error %v", body, err)
	}
	if _, err := io.WriteString(slid, "answer"); err != nil || w.Body.String() != "answer" {
		t.Errorf("answer %q, error %v", w.Body, err)
	}
}

func TestSupportURLMustBeAWebAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"https://help.example.org/": "https://help.example.org/", "javascript:alert(1)": "", "": "", "/help": "", "mailto:a@b": ""} {
		if got := web.SafeURL(in); got != want {
			t.Errorf("%q is %q", in, got)
		}
	}
}
