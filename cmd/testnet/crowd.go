package testnet

import (
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Crowd serves srv, which has room for one connection, to somebody whose request does not end, and answers what the next
// one gets who asks for path.
func Crowd(t testing.TB, srv *http.Server, path string) (res *http.Response, body string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	active := make(chan struct{}, 10)
	note := srv.ConnState
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		if note(c, state); state == http.StateActive {
			active <- struct{}{}
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(l) })
	defer wg.Wait()
	defer srv.Close()
	first, err := net.Dial("tcp", l.Addr().String())
	must(err)
	defer first.Close()
	_, err = io.WriteString(first, "POST /sign-in HTTP/1.1\r\nHost: "+l.Addr().String()+"\r\nContent-Length: 100\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n")
	must(err)
	<-active
	res, err = http.Get("http://" + l.Addr().String() + path)
	must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(err)
	return res, string(text)
}
