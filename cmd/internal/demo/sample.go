package demo

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"time"

	"github.com/emersion/go-smtp"
)

//go:embed sample.eml
var sample []byte

// SendSample sends the sample mail to the gateway at addr. Its date is now.
func SendSample(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	if err := c.Hello("mail.example.org"); err != nil {
		return err
	}
	return c.SendMail("maria.lindqvist@example.org", []string{"joan.hartley@mail.example", "care.records@example.org"}, sampleNow())
}

func sampleNow() *bytes.Reader {
	head := fmt.Sprintf("Date: %s\r\nMessage-ID: <sample.%d@example.org>\r\n", time.Now().Format(time.RFC1123Z), time.Now().UnixNano())
	body := bytes.ReplaceAll(bytes.ReplaceAll(sample, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	return bytes.NewReader(append([]byte(head), body...))
}
