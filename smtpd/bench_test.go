package smtpd

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"postern/store"
)

// BenchmarkMessages takes messages on one connection with pipelined envelopes; the backend discards them.
func BenchmarkMessages(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20} {
		for _, secure := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dKiB/tls=%v", size>>10, secure), func(b *testing.B) {
				f := start(b, func(c *Config) {
					c.MaxSize = 2 << 20
					c.Log = slog.New(slog.DiscardHandler)
					c.Backend.(*backend).accept = func(env store.Envelope, body io.Reader) (store.Receipt, error) {
						_, err := io.Copy(io.Discard, body)
						return store.Receipt{ID: env.ID}, err
					}
				})
				p := f.clear(0)
				if secure {
					p = f.starttls(0)
				}
				envelope := "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n"
				message := strings.Repeat(strings.Repeat("m", 76)+"\r\n", size/78) + ".\r\n"
				b.SetBytes(int64(len(message)))
				b.ReportAllocs()
				for b.Loop() {
					p.Send(envelope)
					p.Want("250")
					p.Want("250")
					p.Want("354")
					p.Send(message)
					p.Want("250")
				}
			})
		}
	}
}
