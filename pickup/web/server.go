package web

import (
	"io"
	"net/http"
	"time"
)

// Times of the HTTP server. Slide moves the last two for what is streamed.
const (
	headerTime = 10 * time.Second
	bodyTime   = 30 * time.Second
	answerTime = 60 * time.Second // includes the wait for a slot at sign-in (KEYS K13)
	idleTime   = 2 * time.Minute
	stallTime  = time.Minute // a stream that does not move for so long is cut
	maxHeader  = 32 << 10
)

// Server is an http.Server with this site's time limits around a handler.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, WriteTimeout: answerTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader}
}

// Slide is for routes that stream: each read of the body and each write of the answer moves the deadline on, so that a
// slow line may take its time and a dead one does not hold the connection. The returned writer is to be used in place
// of w. Deadlines of connections are wall-clock times, so no clock comes in from outside.
func Slide(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	c := http.NewResponseController(w)
	r.Body = &slidingBody{ReadCloser: r.Body, c: c}
	return &slidingWriter{ResponseWriter: w, c: c}
}

type slidingBody struct {
	io.ReadCloser
	c *http.ResponseController
}

// Read ignores the error of setting a deadline: a test's recorder has none, and a real connection that refuses one
// fails in the read itself.
func (b *slidingBody) Read(p []byte) (int, error) {
	t := time.Now().Add(stallTime)
	_ = b.c.SetReadDeadline(t)
	_ = b.c.SetWriteDeadline(t.Add(answerTime))
	return b.ReadCloser.Read(p)
}

type slidingWriter struct {
	http.ResponseWriter
	c *http.ResponseController
}

func (w *slidingWriter) Write(p []byte) (int, error) {
	_ = w.c.SetWriteDeadline(time.Now().Add(stallTime))
	return w.ResponseWriter.Write(p)
}

func (w *slidingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
