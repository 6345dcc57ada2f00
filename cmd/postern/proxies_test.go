package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/cmd/testneed"
	"postern/cmd/testnet"
	"postern/store/seal"
)

// proxy is a web server that docs/operations.md shows in front of the gateway.
type proxy struct {
	program string
	begins  string                    // with what the lines of the guide begin
	adapt   []string                  // pairs: what the guide says, what it is in the test
	wrap    string                    // the rest of the program's configuration, around %[1]s; %[2]s is a folder
	args    []string                  // %[1]s is the file of configuration, %[2]s the folder
	weak    [2]string                 // what of the guide's text, and its replacement, lets secrets into the log
	logs    bool                      // it writes lines about requests that hold no secret
	env     func(dir string) []string // more environment; may be nil
	quit    syscall.Signal            // ends it
}

var proxies = []proxy{
	{
		program: "nginx", begins: "    map ", logs: true, quit: syscall.SIGTERM,
		adapt: []string{"/var/log/nginx/", "%[2]s/log/"},
		wrap:  "%[3]sdaemon off; pid %[2]s/pid; error_log stderr crit;\nevents {}\nhttp {\nclient_body_temp_path %[2]s/body; proxy_temp_path %[2]s/temp; fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s;\n%[1]s}\n",
		args:  []string{"-e", "stderr", "-c", "%[1]s"},
		weak:  [2]string{" if=$postern_log", ""},
	},
	{
		program: "apache2", begins: "    <VirtualHost", logs: true, quit: syscall.SIGTERM,
		adapt: []string{"/var/log/apache2/", "%[2]s/log/", "*:443>", "%[4]s>"},
		wrap: "ServerName gateway.example.org\nServerRoot /usr/lib/apache2\nPidFile %[2]s/pid\nDefaultRuntimeDir %[2]s\nErrorLog %[2]s/log/other.log\nListen %[4]s\n" +
			"LoadModule mpm_event_module modules/mod_mpm_event.so\nLoadModule authz_core_module modules/mod_authz_core.so\nLoadModule headers_module modules/mod_headers.so\n" +
			"LoadModule ssl_module modules/mod_ssl.so\nLoadModule proxy_module modules/mod_proxy.so\nLoadModule proxy_http_module modules/mod_proxy_http.so\n" +
			"LogFormat \"%%h %%l %%u %%t \\\"%%r\\\" %%>s %%O \\\"%%{Referer}i\\\" \\\"%%{User-Agent}i\\\"\" combined\n%[1]s",
		args: []string{"-DFOREGROUND", "-f", "%[1]s"},
		weak: [2]string{"LogLevel crit", "LogLevel warn"},
	},
	{
		program: "caddy", begins: "    {\n", quit: syscall.SIGTERM,
		adapt: []string{"    {\n      log", "    {\n      admin off\n      auto_https disable_redirects\n      skip_install_trust\n      log",
			"    secure-mail.example.org {\n", "    https://%[4]s {\n"},
		wrap: "%[1]s",
		args: []string{"run", "--adapter", "caddyfile", "--config", "%[1]s"},
		weak: [2]string{"exclude http.log http.handlers", "level INFO"},
		env: func(dir string) []string {
			return []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
		},
	},
}

// TestK15ProxiesDoNotLogTokens runs the web servers of the guide, set up as it says, in front of a gateway: pages and
// uploads pass, the gateway learns who asks, and no secret of a link is in anything that the web server writes; not when
// links come in odd forms, nor when the gateway is away or breaks off. Without the guide's measure secrets are found.
func TestK15ProxiesDoNotLogTokens(t *testing.T) {
	t.Parallel()
	for _, p := range proxies {
		t.Run(p.program, func(t *testing.T) {
			t.Parallel()
			path := testneed.Program(t, p.program)
			f := startFronted(t, p, path)
			f.wantItWorks()
			f.knock()
			if err := f.stop(); err != nil {
				t.Fatal(err)
			}
			f.knock()
			f.breakOff()
			f.front.end(t, p.quit)
			for _, secret := range f.secrets {
				if where := f.front.holds(t, secret); where != "" {
					t.Errorf("a link is in %s:\n%s", where, f.front.text(t))
				}
			}
			if p.logs && f.front.holds(t, "/help") == "" {
				t.Error("the web server logs nothing at all: the search proves nothing")
			}
			f.wantWeakFound(p, path)
		})
	}
}

// fronted is a gateway with a web server before it.
type fronted struct {
	*trial
	front   *webServer
	secrets []string
}

// webServer is a running program with the folder that it writes to.
type webServer struct {
	dir, addr string
	cmd       *exec.Cmd
	out       *lockedBuffer
	done      chan struct{}
}

func startFronted(t *testing.T, p proxy, path string) *fronted {
	t.Helper()
	f := &fronted{trial: newTrial(t, "")}
	f.front = &webServer{dir: t.TempDir(), addr: freeAddr(t)}
	f.edit = func(yaml string) string {
		return strings.Replace(yaml, `url: "http://`+f.site+`"`, `url: "https://`+f.front.addr+`", trusted_proxies: ["127.0.0.1/32"]`, 1)
	}
	f.start()
	f.front.start(t, p, path, guided(t, p), f.site)
	return f
}

// guided is the configuration that the guide shows for a program.
func guided(t testing.TB, p proxy) string {
	t.Helper()
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## Behind a proxy\n")
	_, rest, ok := strings.Cut(section, "\n"+p.begins)
	if !ok {
		t.Fatalf("the guide shows nothing for %s", p.program)
	}
	text, _, _ := strings.Cut(p.begins+rest, "\n\n")
	return text + "\n"
}

// start runs the program on a configuration of the guide, for a gateway's site.
func (w *webServer) start(t testing.TB, p proxy, path, guided, site string) {
	t.Helper()
	mkdir(t, w.dir+"/log")
	certificate, key := testnet.KeyPair(t, 7)
	writeFile(t, w.dir+"/cert.pem", certificate, 0o600)
	writeFile(t, w.dir+"/key.pem", key, 0o600)
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the folder is ours alone
	}
	fill := strings.NewReplacer("%[2]s", w.dir, "%[3]s", user, "%[4]s", w.addr, "%%", "%")
	text := strings.NewReplacer(p.adapt...).Replace(guided)
	text = strings.NewReplacer("127.0.0.1:8080", site, "listen 443 ssl", "listen "+w.addr+" ssl", "/etc/ssl/secure-mail.pem", w.dir+"/cert.pem",
		"/etc/ssl/private/secure-mail.key", w.dir+"/key.pem").Replace(strings.NewReplacer("%[2]s", w.dir, "%[4]s", w.addr).Replace(text))
	before, after, _ := strings.Cut(p.wrap, "%[1]s")
	file := w.dir + "/conf"
	writeFile(t, file, []byte(fill.Replace(before)+text+fill.Replace(after)), 0o600)
	args := make([]string, len(p.args))
	for i, a := range p.args {
		args[i] = strings.NewReplacer("%[1]s", file, "%[2]s", w.dir).Replace(a)
	}
	w.cmd, w.out, w.done = exec.Command(path, args...), &lockedBuffer{}, make(chan struct{})
	w.cmd.Stdout, w.cmd.Stderr = w.out, w.out
	w.cmd.Env = os.Environ()
	if p.env != nil {
		w.cmd.Env = append(w.cmd.Env, p.env(w.dir)...)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(w.done); w.cmd.Wait() }()
	t.Cleanup(func() { w.end(t, syscall.SIGKILL) })
	waitUntil(t, p.program+" listens", func() bool {
		select {
		case <-w.done:
			t.Fatalf("%s ended at once:\n%s\n%s", p.program, w.out, w.text(t))
		default:
		}
		conn, err := tls.Dial("tcp", w.addr, &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// end ends the program, if it runs.
func (w *webServer) end(t testing.TB, how syscall.Signal) {
	t.Helper()
	w.cmd.Process.Signal(how)
	<-w.done
}

// holds is where a text stands in what the program wrote, empty if nowhere.
func (w *webServer) holds(t testing.TB, text string) string {
	t.Helper()
	if strings.Contains(w.out.String(), text) {
		return "its output"
	}
	where := ""
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) && filepath.Base(path) != "conf" {
			where = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return where
}

// text is all that is in its logs.
func (w *webServer) text(t testing.TB) string {
	t.Helper()
	all := w.out.String()
	files, err := filepath.Glob(w.dir + "/log/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all += string(data)
	}
	return all
}

// visitor is somebody at another address who reaches the site through the web server.
func (w *webServer) visitor() *http.Transport {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: 30 * time.Second}
	return &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
}

// wantItWorks goes the recipient's way through the web server, up to a reply with a file.
func (f *fronted) wantItWorks() {
	t := f.t
	t.Helper()
	f.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] Plans", "<proxy.1@example.org>", ""))
	site := "https://" + f.front.addr
	link := linkIn(f.notes("bob@ext.example", 1)[0].View().Text, site+"/p/")
	bob := f.person()
	bob.site, bob.http.Transport = site, f.front.visitor()
	bob.wantStatus(http.StatusOK, bob.get(link))
	message := bob.register(link).want(t, "Plans", "A few words.")
	bob.wantStatus(http.StatusOK, bob.get("/help"))
	welcome := linkIn(f.await("bob@ext.example", site+"/w/").View().Text, site+"/w/")
	bob.wantStatus(http.StatusOK, bob.get(welcome))
	path, _, _ := strings.Cut(strings.TrimPrefix(message.url, site), "?")
	file := upload{name: "large.bin", kind: "application/octet-stream", data: bytes.Repeat([]byte("octets "), 1<<18)}
	bob.wantStatus(http.StatusOK, bob.postFiles(path+"/reply", [][2]string{{"text", "An answer."}}, file))
	f.await("alice@example.org", "large.bin")
	f.secrets = append(f.secrets, link[len(link)-37:], welcome[len(welcome)-37:])

	req := bob.request(http.MethodGet, "/help", nil)
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	bob.do(req)
	waitUntil(t, "the log tells who asked", func() bool { return f.logged(`"route":"/help"`, `"client_ip":"127.0.0.2"`) == 2 })
	if f.logged("203.0.113.9") > 0 {
		t.Error("the gateway believes a client's own X-Forwarded-For")
	}
}

// knock asks with links of every kind, in ordinary and in odd forms.
func (f *fronted) knock() {
	f.t.Helper()
	for _, kind := range "prvaswn" {
		secret := seal.LinkSecret([]byte(rand.Text()[:20]))
		token := secret.Token(seal.TokenKind(kind))
		f.secrets = append(f.secrets, token)
		f.ask(http.MethodGet, fmt.Sprintf("/%c/%s", kind, token), nil)
		f.ask(http.MethodPost, fmt.Sprintf("/%c/%s", kind, token), nil)
		f.ask(http.MethodHead, fmt.Sprintf("/%c/%s/not-for-me?x=1", kind, token), nil)
		f.ask(http.MethodGet, fmt.Sprintf("//%c/%s", kind, token), nil)
		f.ask(http.MethodGet, fmt.Sprintf("/%%%x/%s", kind, token), nil)
		f.ask(http.MethodGet, fmt.Sprintf("/x/../%c/%s", kind, token), nil)
		f.ask(http.MethodGet, "/favicon.ico", http.Header{"Referer": {fmt.Sprintf("https://%s/%c/%s", f.front.addr, kind, token)}})
		f.ask(http.MethodGet, fmt.Sprintf("/%c/%s", kind, token), http.Header{"Cookie": {"x=" + strings.Repeat("x", 40<<10)}})
		f.inClear(fmt.Sprintf("GET /%c/%s HTTP/1.1\r\nHost: secure-mail.example.org\r\n\r\n", kind, token))
	}
}

// ask sends a request; any answer will do.
func (f *fronted) ask(method, path string, header http.Header) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, "https://"+f.front.addr+"/", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.URL.Opaque = path
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := f.front.visitor().RoundTrip(req)
	if err != nil {
		return // over-long, or broken off
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
}

// inClear speaks without TLS to the web server, as a browser does that was given "http:" and the port.
func (f *fronted) inClear(request string) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.front.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, request)
	io.Copy(io.Discard, conn)
}

// breakOff puts a site in the gateway's place that ends its answers too early, and asks it.
func (f *fronted) breakOff() {
	f.t.Helper()
	l, err := net.Listen("tcp", f.site)
	if err != nil {
		f.t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", "100000")
			io.WriteString(w, "a part")
		}
		panic(http.ErrAbortHandler)
	})}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	defer func() { srv.Close(); <-done }()
	f.knock()
}

// wantWeakFound runs the web server once more, without the guide's measure and with nothing behind it: a link is found
// in what it writes then.
func (f *fronted) wantWeakFound(p proxy, path string) {
	t := f.t
	t.Helper()
	text := guided(t, p)
	if !strings.Contains(text, p.weak[0]) {
		t.Fatalf("the guide does not say %q", p.weak[0])
	}
	f.front = &webServer{dir: t.TempDir(), addr: freeAddr(t)}
	f.front.start(t, p, path, strings.Replace(text, p.weak[0], p.weak[1], 1), f.site)
	f.secrets = nil
	f.knock()
	f.front.end(t, p.quit)
	if f.front.holds(t, f.secrets[0]) == "" {
		t.Errorf("without %q no link is in the log: the search proves nothing\n%s", p.weak[0], f.front.text(t))
	}
}
