// Command loadtest sends mail through a gateway into its own sink, counts every message at the far end (lost,
// duplicated, altered) and measures. With --peer postfix it runs the same load in turn through a Postfix relay that it
// sets up in a temporary folder, and prints the ratio.
//
// Flow: a sink takes mail on loopback; a system under test (system.go: the gateway's own binary, postfix.go: the peer)
// relays to it; senders (send.go) keep N connections busy; the tally (tally.go) matches what arrives with what was
// sent; report.go prints. Everything is bounded in messages and time, and stays on this machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// options are the command's flags.
type options struct {
	messages int
	conns    int
	size     int
	secure   int           // percent of the messages that are flagged
	timeout  time.Duration // for one run, from first connection to last arrival
	peer     string
	rounds   int
	gateway  string // binary; empty: built from this module
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "postern-loadtest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var results []result
	for round := range o.rounds {
		for _, name := range o.systems() {
			r, err := measure(ctx, o, name, fmt.Sprintf("%s/%s-%d", dir, name, round))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			results = append(results, r)
			r.print(out)
		}
	}
	printRatios(out, results)
	return damage(results)
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	f.IntVar(&o.messages, "messages", 5000, "messages in one run")
	f.IntVar(&o.conns, "conns", 20, "connections at a time")
	f.IntVar(&o.size, "size", 4096, "octets of one message")
	f.IntVar(&o.secure, "secure", 0, "percent of the messages that are flagged as secure")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "for one run")
	f.StringVar(&o.peer, "peer", "", "also run this peer: postfix")
	f.IntVar(&o.rounds, "rounds", 1, "rounds; systems take turns in each")
	f.StringVar(&o.gateway, "gateway", "", "gateway binary (default: built from this module)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case o.messages < 1 || o.conns < 1 || o.rounds < 1:
		return o, errors.New("messages, conns and rounds must be at least 1")
	case o.size < minSize:
		return o, fmt.Errorf("size must be at least %d", minSize)
	case o.secure < 0 || o.secure > 100:
		return o, errors.New("secure is a share in percent, 0 to 100")
	case o.peer != "" && o.peer != "postfix":
		return o, fmt.Errorf("the peer %q is not known; there is postfix", o.peer)
	}
	o.conns = min(o.conns, o.messages)
	return o, nil
}

func (o options) systems() []string {
	if o.peer == "" {
		return []string{"postern"}
	}
	return []string{"postern", o.peer}
}

// measure runs one system through the load.
func measure(ctx context.Context, o options, name, dir string) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	t := newTally(o)
	sink, err := newSink(t)
	if err != nil {
		return result{}, err
	}
	defer sink.close()
	sys, err := start(ctx, name, o, dir, sink.addr())
	if err != nil {
		return result{}, err
	}
	defer sys.stop()
	watch := watchProcess(sys.pid())
	begin := time.Now()
	if err := sendAll(ctx, o, sys.addr(), t); err != nil {
		return result{}, fmt.Errorf("%w\n%s", err, sys.log())
	}
	accepted := time.Since(begin)
	if err := t.wait(ctx); err != nil {
		return result{}, fmt.Errorf("waiting for arrivals: %w (%s)\n%s", err, t.progress(), sys.log())
	}
	r := t.result(name, o, begin, accepted)
	r.cpu, r.anon = watch.stop()
	return r, nil
}
