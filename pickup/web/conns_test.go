package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"

	"postern/pickup/web"
)

// crowd is a site on a real listener whose clients have the addresses that a test says.
type crowd struct {
	t     *testing.T
	addr  string
	conns *web.Conns
	from  chan string         // address of the next connection
	moved chan http.ConnState // states as the server notes them, but for StateNew
	hold  chan struct{}       // GET /p/hold waits for it
	held  chan struct{}       // receives when one waits
}

func newCrowd(t *testing.T, b web.Bounds) *crowd {
	t.Helper()
	c := &crowd{t: t, conns: web.NewConns(b), from: make(chan string, 1), moved: make(chan http.ConnState, 100), hold: make(chan struct{}), held: make(chan struct{})}
	s := newSite(t)
	var one sync.Mutex
	srv := c.conns.Guard(web.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/p/hold" {
			c.held <- struct{}{}
			<-c.hold
		}
		one.Lock() // the site of these tests counts what reaches it
		defer one.Unlock()
		s.handler.ServeHTTP(w, r)
	})))
	note := srv.ConnState
	srv.ConnState = func(conn net.Conn, state http.ConnState) {
		if note(conn, state); state != http.StateNew {
			c.moved <- state
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.addr = l.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(from{l, c.from}) })
	t.Cleanup(func() {
		close(c.hold)
		srv.Close()
		wg.Wait()
	})
	return c
}

// from is a listener whose connections come from where a test says.
type from struct {
	net.Listener
	next chan string
}

func (f from) Accept() (net.Conn, error) {
	conn, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fromConn{conn, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(<-f.next), 4000))}, nil
}

type fromConn struct {
	net.Conn
	addr net.Addr
}

func (f fromConn) RemoteAddr() net.Addr { return f.addr }

// visit opens a connection.
func (c *crowd) visit(address string) *visit {
	c.t.Helper()
	c.from <- address
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	return &visit{c, conn, bufio.NewReader(conn)}
}

type visit struct {
	c    *crowd
	conn net.Conn
	in   *bufio.Reader
}

func (v *visit) ask(path string) {
	v.c.t.Helper()
	if _, err := fmt.Fprintf(v.conn, "GET %s HTTP/1.1\r\nHost: secure-mail.example.org\r\n\r\n", path); err != nil {
		v.c.t.Fatal(err)
	}
}

// status reads an answer whole; 0: the connection was closed.
func (v *visit) status() (status int, closes bool) {
	v.c.t.Helper()
	res, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return 0, false
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Close
}

// rests asks for a page and waits until the connection rests.
func (v *visit) rests() {
	v.c.t.Helper()
	v.ask("/p/x")
	if got, _ := v.status(); got != http.StatusOK {
		v.c.t.Fatalf("status %d", got)
	}
	for state := range v.c.moved {
		if state == http.StateIdle {
			return
		}
	}
}

// works holds a request under way.
func (v *visit) works() {
	v.c.t.Helper()
	v.ask("/p/hold")
	<-v.c.held
}

func (v *visit) want(what string, status int) {
	v.c.t.Helper()
	got, closes := v.status()
	if got != status || status == http.StatusServiceUnavailable && !closes {
		v.c.t.Errorf("%s: status %d, closes %v; want %d", what, got, closes, status)
	}
}

// TestI8ConnectionsAreBounded: when all are taken, the one that has rested longest makes room; when none rests, the new
// one is told so and closed.
func TestI8ConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, web.Bounds{All: 3})
	old, older, busy := c.visit("192.0.2.1"), c.visit("192.0.2.2"), c.visit("192.0.2.3")
	busy.works()
	older.rests()
	old.rests()
	fourth := c.visit("192.0.2.4")
	older.want("the one that rested longest", 0)
	fourth.works()
	fifth := c.visit("192.0.2.5")
	old.want("the next", 0)
	fifth.works()
	sixth := c.visit("192.0.2.6")
	sixth.ask("/p/x")
	sixth.want("one too many", http.StatusServiceUnavailable)
	sixth.want("after it", 0)
	for range 3 {
		c.hold <- struct{}{}
	}
	for _, v := range []*visit{busy, fourth, fifth} {
		v.want("a request under way", http.StatusOK)
	}
}

// TestOneClientKeepsNoOtherOut: one client has its share of connections; proxies stand for many clients, and an IPv6
// network is one.
func TestOneClientKeepsNoOtherOut(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, web.Bounds{All: 20, PerClient: 2, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, address := range []string{"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.1", "10.0.0.1", "10.0.0.1", "10.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"} {
		c.visit(address).works()
	}
	for address, status := range map[string]int{
		"2001:db8::3": 503, "192.0.2.1": 503, "2001:db8:0:1::1": 200, "192.0.2.2": 200, "10.0.0.1": 200, "127.0.0.1": 200,
	} {
		v := c.visit(address)
		v.ask("/p/x")
		v.want(address, status)
	}
}
