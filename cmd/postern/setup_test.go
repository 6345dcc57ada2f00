package main

import (
	"context"
	"crypto/sha256"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"postern/store/seal"
)

// refuseStart runs "serve", which must end at once with exit code 2 and one sentence that holds every part.
func (tr *trial) refuseStart(parts ...string) string {
	tr.t.Helper()
	path, err := binary()
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.writeConfig()
	ctx, cancel := context.WithTimeout(tr.t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "serve", "--config", tr.configPath()).CombinedOutput()
	text := string(out)
	if code := exitCode(err); code != exitSetup {
		tr.t.Errorf("exit %d (%v), want %d:\n%s", code, err, exitSetup, text)
	}
	for _, p := range parts {
		if !strings.Contains(text, p) {
			tr.t.Errorf("%q is missing in: %s", p, text)
		}
	}
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "postern: ") {
		tr.t.Errorf("not one plain sentence:\n%s", text)
	}
	return text
}

// fingerprints hashes every file under a folder but the given ones.
func fingerprints(t testing.TB, dir string, without ...string) map[string][sha256.Size]byte {
	t.Helper()
	sums := map[string][sha256.Size]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		for _, w := range without {
			if name == w {
				return nil
			}
		}
		if !d.Type().IsRegular() {
			sums[name] = [sha256.Size]byte{}
			return nil
		}
		data, err := os.ReadFile(path)
		sums[name] = sha256.Sum256(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func wantUnchanged(t testing.TB, before, after map[string][sha256.Size]byte) {
	t.Helper()
	if maps.Equal(before, after) {
		return
	}
	for name := range before {
		if before[name] != after[name] {
			t.Errorf("%s was changed or removed", name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s was made", name)
		}
	}
}

func (tr *trial) keyPath() string { return filepath.Join(tr.dir, "data/keys/server.key") }

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // WriteFile leaves the mode of a file that exists
		t.Fatal(err)
	}
}

// otherKey is a valid server key file of some other store.
func otherKey(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.key")
	if _, err := seal.CreateServerKeys(path); err != nil {
		t.Fatal(err)
	}
	return readFile(t, path)
}

// TestSetupServerKey: with a key file that is missing, wrong, older or open to others the start ends with exit 2 and
// changes nothing; with the right one everything opens again (KEYS K3, K16).
func TestSetupServerKey(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] Plans", "<plans@example.org>", ""))
	link := tr.link(tr.await("bob@ext.example", "X-Postern-Origin: v1 notification"))
	first := readFile(t, tr.keyPath())
	out, code := tr.postern("key", "rotate")
	if code != 0 {
		t.Fatal(out)
	}
	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}
	both := readFile(t, tr.keyPath())
	newest, _, _ := strings.Cut(string(both), "\n")
	id := strings.Fields(newest)[1]

	cases := map[string]struct {
		data  []byte
		mode  os.FileMode
		parts []string
	}{
		"missing":        {nil, 0, []string{"is missing", tr.keyPath(), id, "nothing was changed"}},
		"wrong":          {otherKey(t), 0o600, []string{"wrong server key", "lacks server key", tr.keyPath(), "nothing was changed"}},
		"older":          {first, 0o600, []string{"wrong server key", "lacks server key " + id, tr.keyPath(), "nothing was changed"}},
		"open to others": {both, 0o644, []string{tr.keyPath(), "others"}},
		"damaged":        {append(both[:len(both)-3:len(both)-3], "zz\n"...), 0o600, []string{tr.keyPath(), "line 2"}},
		"empty":          {[]byte{}, 0o600, []string{tr.keyPath()}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := *tr
			tr.t = t
			if err := os.Remove(tr.keyPath()); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if c.mode != 0 {
				writeFile(t, tr.keyPath(), c.data, c.mode)
			}
			before := fingerprints(t, tr.dir+"/data")
			said := tr.refuseStart(c.parts...)
			for _, key := range strings.Fields(string(both)) {
				if len(key) > 30 && strings.Contains(said, key) {
					t.Error("the sentence holds a key")
				}
			}
			if out, code := tr.postern("queue", "list"); code != exitSetup {
				t.Errorf("a command without a server exits %d: %s", code, out)
			}
			wantUnchanged(t, before, fingerprints(t, tr.dir+"/data"))
		})
	}
	writeFile(t, tr.keyPath(), both, 0o600)
	tr.start()
	tr.person().register(link).want(t, "Plans")
}

// TestSetupNewerFormat: what a newer Postern wrote is not touched (MAIL 11.1).
func TestSetupNewerFormat(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(tr.dir+"/data/postern.db", 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("version"), []byte{7: 2})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := fingerprints(t, tr.dir+"/data")
	tr.refuseStart("has format 2", "use the newer version that wrote it")
	wantUnchanged(t, before, fingerprints(t, tr.dir+"/data"))
}

// TestSetupForeignFiles: a data folder that holds something else is not touched either.
func TestSetupForeignFiles(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, data string){
		"not a data file": func(t *testing.T, data string) {
			writeFile(t, data+"/postern.db", []byte(strings.Repeat("not a database ", 5000)), 0o600)
		},
		"a file where the folder should be": func(t *testing.T, data string) {
			if err := os.Remove(data); err != nil {
				t.Fatal(err)
			}
			writeFile(t, data, nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, "")
			if err := os.MkdirAll(tr.dir+"/data", 0o700); err != nil {
				t.Fatal(err)
			}
			prepare(t, tr.dir+"/data")
			tr.writeConfig()
			before := fingerprints(t, tr.dir)
			tr.refuseStart(tr.dir + "/data")
			wantUnchanged(t, before, fingerprints(t, tr.dir))
		})
	}
}

// TestSetupPortInUse: a port that somebody else has is one sentence that names key and port.
func TestSetupPortInUse(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	for key, addr := range map[string]*string{"smtp.listen": &tr.smtp, "pickup.listen": &tr.site, "ops.listen": &tr.ops} {
		free := *addr
		l, err := net.Listen("tcp", free)
		if err != nil {
			t.Fatal(err)
		}
		tr.refuseStart(key + ": " + free + " is in use by another program")
		l.Close()
	}
	tr.start() // and what was refused left nothing that is in the way
}

// TestSetupOneProcessPerFolder: a second instance ends at once and does not disturb the first.
func TestSetupOneProcessPerFolder(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	second := newTrial(t, "")
	second.dir = tr.dir
	config := readFile(t, tr.configPath())
	second.refuseStart("data folder " + tr.dir + "/data is used by another running Postern")
	writeFile(t, tr.configPath(), config, 0o600)
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("alice@example.org", "bob@ext.example", "Hello", "<hello@example.org>", ""))
	tr.await("bob@ext.example", "Subject: Hello")
	if out, code := tr.postern("queue", "list"); code != 0 {
		t.Errorf("the first one's socket is gone: %s", out)
	}
}

// TestSetupNamesEveryWrongKey: serve, check and every other command name all problems at once and exit with 2; nothing
// is made.
func TestSetupNamesEveryWrongKey(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, `
notify: {delay_notice: 10ms, form: x}
policy: {tags: ["sec ure]"], senders: nobody, rules: [{name: r, match: {to: ["x"], colour: red}, action: burn}]}
store: {engine: sqlite}
`)
	tr.writeConfig()
	text := strings.Replace(string(readFile(t, tr.configPath())), "tls: none", "tls: perhaps, mx: true", 1)
	text = strings.Replace(text, "store: {min_free: 1}\n", "drain_timeout: 0s\n", 1)
	writeFile(t, tr.configPath(), []byte(text), 0o600)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve"}, {"config", "check"}, {"config", "show"}, {"queue", "list"}, {"key", "rotate"}} {
		out, err := exec.Command(path, append(args, "--config", tr.configPath())...).CombinedOutput()
		if exitCode(err) != exitSetup {
			t.Errorf("%v: %v", args, err)
		}
		for _, want := range []string{
			"notify.delay_notice", "notify.form: there is no such key", "policy.tags", "policy.senders", "colour", "burn", "store.engine",
			"relay.routes[0].tls", "relay.routes[0].mx: direct delivery by MX does not exist yet", "drain_timeout",
		} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%v does not name %s:\n%s", args, want, out)
			}
		}
	}
	if _, err := os.Stat(tr.dir + "/data"); !os.IsNotExist(err) {
		t.Errorf("a data folder was made: %v", err)
	}
}
