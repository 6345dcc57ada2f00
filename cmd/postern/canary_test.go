package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/config"
	"postern/store/seal"
)

// TestI1CanaryInNothingWritten runs the gateway through everything that it does with secret texts, under strace, and
// then looks for each of them, in every form, in all that the process wrote: the octets of its system calls, its files
// at several moments (freed pages included), its log, its metrics, and what the command line shows. A control text in
// an envelope address, which may be in clear, must be found by the very same search.
func TestI1CanaryInNothingWritten(t *testing.T) {
	t.Parallel()
	r := newCanaryRun(t)
	r.tr.start()
	r.sendMails()
	r.keep("a notification waits")
	r.hop.shut.Store(false)
	r.readMails()
	r.otherEnds()
	r.showEverything()
	if err := r.tr.stop(); err != nil {
		t.Errorf("the gateway ended with %v", err)
	}
	r.keep("the gateway has stopped")
	r.expireAndSweep()
	r.keep("all has expired")
	r.check()
}

// canaryRun is one such run.
type canaryRun struct {
	t       testing.TB
	tr      *trial
	hop     *hop
	record  *record
	secrets *needles
	control *needles
	words   map[string]string
	kept    map[string]string // moment -> copy of the folder
	shown   map[string]string // what metrics and command line showed
	from    string            // envelope sender, in which the control text is
}

func newCanaryRun(t testing.TB) *canaryRun {
	r := &canaryRun{t: t, secrets: newNeedles(), control: newNeedles(), words: map[string]string{}, kept: map[string]string{}, shown: map[string]string{}}
	r.tr = newTrial(t, "policy: {near_miss: seal}\n")
	r.tr.retry = "300ms"
	tmp := filepath.Join(r.tr.dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	r.tr.env = []string{"TMPDIR=" + tmp}
	r.hop = r.tr.behind()
	r.record = r.tr.underStrace()
	local := word("control")
	r.from = local + "@example.org"
	r.control.add("the control text", local)
	return r
}

// secret makes a text that must be written nowhere: letters that stand nowhere else, and characters that every coding
// changes.
func (r *canaryRun) secret(name string) string {
	w := word("zq")
	r.words[name] = w + ` <b>=ü&"q"`
	r.secrets.add(name, r.words[name])
	r.secrets.add(name, w)
	return r.words[name]
}

// plain is secret of letters only, for places that allow nothing else.
func (r *canaryRun) plain(name string) string {
	r.words[name] = word("zq")
	r.secrets.add(name, r.words[name])
	return r.words[name]
}

// link makes the secret of a mailed link known to the search: token, and the octets that it stands for.
func (r *canaryRun) link(kind seal.TokenKind, link string) {
	r.t.Helper()
	secret, err := seal.ParseToken(kind, link)
	if err != nil {
		r.t.Fatalf("no token in %q: %v", link, err)
	}
	name := "link " + string(kind)
	token := secret.Token(kind)
	r.secrets.add(name, token[1:33]) // without version and check
	r.secrets.addOctets(name, secret[:])
}

// keep copies the folder, to be searched when all secrets are known.
func (r *canaryRun) keep(moment string) { r.kept[moment] = r.tr.freeze() }

// expireAndSweep does in this process what the gateway would do a month later.
func (r *canaryRun) expireAndSweep() {
	r.t.Helper()
	cfg, err := config.Load(r.tr.configPath(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	db, err := openStore(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	g, err := newGateway(context.Background(), cfg, db, newLog(cfg.Log, r.tr.log))
	if err != nil {
		r.t.Fatal(err)
	}
	defer g.ring.Close()
	month := time.Now().Add(31 * 24 * time.Hour)
	if n, err := g.messages.Expire(r.t.Context(), month, 100); err != nil || n == 0 {
		r.t.Errorf("%d messages expired, %v", n, err)
	}
	g.sweeper.Now = func() time.Time { return month }
	if err := g.sweeper.Pass(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// check searches everything, for what must not be there and for the control that must.
func (r *canaryRun) check() {
	r.t.Helper()
	quoted := 0
	for _, link := range r.hop.quotes() {
		if strings.Contains(link, "/p/") {
			r.link(seal.TokenPickup, link)
			quoted++
		}
	}
	if quoted != 2 {
		r.t.Errorf("the next hop quoted %d pickup links, want 2", quoted)
	}
	for moment, dir := range r.kept {
		for _, f := range r.secrets.findIn(r.t, dir) {
			r.t.Errorf("when %s: %s", moment, f)
		}
		if len(r.control.findIn(r.t, dir)) == 0 {
			r.t.Errorf("when %s: the search does not even find the control text in the files", moment)
		}
	}
	r.shown["log"] = r.tr.log.String()
	for name, text := range r.shown {
		for _, f := range r.secrets.find(name, []byte(text)) {
			r.tell(f)
		}
	}
	if len(r.control.find("log", []byte(r.shown["log"]))) == 0 {
		r.t.Error("the search does not find the control text in the log")
	}
	r.checkRecord()
}

// tell fails the test for a finding. The log names Message-IDs (MAIL 10.1), in clear they lie nowhere else (KEYS K5).
func (r *canaryRun) tell(f finding) {
	r.t.Helper()
	if strings.HasSuffix(f.what, ": Message-ID") && (f.where == "log" || strings.HasPrefix(f.where, "a write to pipe:")) {
		return
	}
	r.t.Error(f)
}

// checkRecord searches what strace saw, and makes sure that it saw the files that matter.
func (r *canaryRun) checkRecord() {
	r.t.Helper()
	sum := r.record.search(r.t, r.secrets)
	for _, f := range sum.found {
		r.tell(f)
	}
	if len(r.record.search(r.t, r.control).found) == 0 {
		r.t.Error("the search does not find the control text in the system calls")
	}
	for _, part := range []string{"/data/postern.db", "/data/blobs/incoming/", "/data/keys/queue.ring", "/data/keys/server.key", "pipe:"} {
		n := int64(0)
		for path, octets := range sum.files {
			if strings.Contains(path, part) {
				n += octets
			}
		}
		if n == 0 {
			r.t.Errorf("strace saw nothing written to %s", part)
		}
	}
	r.t.Logf("%d secrets in %d forms; %d MiB of system calls, %d copies of the folder", len(r.words), len(r.secrets.seen), sum.octets>>20, len(r.kept))
}
