package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// postfix is a Postfix instance of its own folder that relays everything to the sink.
type postfix struct {
	dir  string
	smtp string
	pids int
}

// Tuned in Postfix's favour where its defaults would hold a relay back: no artificial delay, as many deliveries at a
// time as the gateway, connections kept open.
const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
mail_owner = postfix
myhostname = peer.load.example
mydestination =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [%[2]s]:%[3]s
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_tls_security_level = none
smtpd_tls_security_level = none
smtp_dns_support_level = disabled
disable_dns_lookups = yes
in_flow_delay = 0
default_process_limit = 100
smtp_destination_concurrency_limit = 20
initial_destination_concurrency = 20
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = [%[2]s]:%[3]s
smtpd_client_connection_count_limit = 0
message_size_limit = 104857600
alias_maps =
alias_database =
maillog_file =
`

const masterCF = `127.0.0.1:%s inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

func startPostfix(ctx context.Context, _ options, dir, sink string) (system, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("Postfix needs root to start")
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &postfix{dir: dir, smtp: addr}
	if err := p.configure(sink); err != nil {
		return nil, err
	}
	if out, err := p.command(ctx, "start"); err != nil {
		return nil, fmt.Errorf("start Postfix: %w\n%s", err, out)
	}
	if err := until(ctx, p.answers); err != nil {
		p.stop()
		return nil, fmt.Errorf("Postfix does not answer: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "queue/pid/master.pid"))
	if err != nil {
		p.stop()
		return nil, err
	}
	p.pids, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return p, err
}

func (p *postfix) configure(sink string) error {
	sinkHost, sinkPort, err := net.SplitHostPort(sink)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(p.smtp)
	if err != nil {
		return err
	}
	conf := filepath.Join(p.dir, "conf")
	for _, d := range []string{conf, p.dir + "/queue", p.dir + "/data"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := p.openPath(); err != nil {
		return err
	}
	if err := os.WriteFile(conf+"/main.cf", fmt.Appendf(nil, mainCF, p.dir, sinkHost, sinkPort), 0o644); err != nil {
		return err
	}
	return os.WriteFile(conf+"/master.cf", fmt.Appendf(nil, masterCF, port), 0o644)
}

// openPath lets Postfix's own user reach the folder, which temporary folders do not.
func (p *postfix) openPath() error {
	owner, err := user.Lookup("postfix")
	if err != nil {
		return fmt.Errorf("Postfix is not installed: %w", err)
	}
	uid, _ := strconv.Atoi(owner.Uid) // numbers on Linux
	gid, _ := strconv.Atoi(owner.Gid)
	if err := os.Chown(p.dir+"/data", uid, gid); err != nil {
		return err
	}
	return os.Chmod(filepath.Dir(p.dir), 0o755)
}

func (p *postfix) command(ctx context.Context, verb string) ([]byte, error) {
	return exec.CommandContext(ctx, "/usr/sbin/postfix", "-c", p.dir+"/conf", verb).CombinedOutput()
}

func (p *postfix) answers() bool {
	conn, err := net.Dial("tcp", p.smtp)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (p *postfix) addr() string { return p.smtp }
func (p *postfix) pid() int     { return p.pids }
func (p *postfix) log() string  { return "" }

func (p *postfix) stop() {
	p.command(context.Background(), "stop") // nothing is left to do when that fails: the folder goes away
}
