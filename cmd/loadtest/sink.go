package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
)

// sink is the far end: a mail server that takes everything and books it.
type sink struct {
	l net.Listener
	t *tally
}

func newSink(t *tally) (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{l: l, t: t}
	go s.accept()
	return s, nil
}

func (s *sink) addr() string { return s.l.Addr().String() }
func (s *sink) close()       { s.l.Close() }

func (s *sink) accept() {
	for {
		conn, err := s.l.Accept()
		if err != nil {
			return
		}
		go (&sinkConn{t: s.t, r: bufio.NewReaderSize(conn, 64<<10), w: bufio.NewWriter(conn), c: conn}).serve()
	}
}

type sinkConn struct {
	t     *tally
	c     net.Conn
	r     *bufio.Reader
	w     *bufio.Writer
	rcpts []string
}

func (c *sinkConn) serve() {
	defer c.c.Close()
	c.reply("220 sink.example ESMTP")
	for {
		if c.r.Buffered() == 0 && c.w.Flush() != nil {
			return
		}
		line, err := c.r.ReadString('\n')
		if err != nil || !c.command(strings.TrimSpace(line)) {
			c.w.Flush()
			return
		}
	}
}

func (c *sinkConn) reply(s string) { fmt.Fprintf(c.w, "%s\r\n", s) }

// command answers one line; false ends the connection.
func (c *sinkConn) command(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO":
		c.reply("250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 104857600\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES")
	case "MAIL", "RSET":
		c.rcpts = nil
		c.reply("250 2.0.0 Ok")
	case "RCPT":
		c.rcpts = append(c.rcpts, between(arg, '<', '>'))
		c.reply("250 2.1.5 Ok")
	case "DATA":
		return c.data()
	case "QUIT":
		c.reply("221 2.0.0 Bye")
		return false
	default:
		c.reply("250 2.0.0 Ok")
	}
	return true
}

func between(s string, a, b byte) string {
	i, j := strings.IndexByte(s, a), strings.IndexByte(s, b)
	if i < 0 || j < i {
		return s
	}
	return s[i+1 : j]
}

func (c *sinkConn) data() bool {
	c.reply("354 Go on")
	if c.w.Flush() != nil {
		return false
	}
	var raw bytes.Buffer
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return false
		}
		if string(line) == ".\r\n" {
			break
		}
		raw.Write(bytes.TrimPrefix(line, []byte(".")))
	}
	for _, r := range c.rcpts {
		c.t.arrival(r, raw.Bytes())
	}
	c.reply("250 2.0.0 Ok")
	return true
}
