package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/config"
	"postern/store"
	"postern/store/seal"
	"postern/store/sweep"
)

// TestI3Blindness copies the whole data folder of a gateway again and again (KEYS K16): while notifications wait, after
// they left, after registration, reply, an alias, a merged account, a second notification and a second use of a link, after
// the queue keys of the hour were destroyed, after the server key was changed and the old one destroyed. Whoever has all copies and all server keys opens no
// message, no account, no session and no link. Each thing that must open does open with the one secret that opens it,
// by the same program: that proves the search.
func TestI3Blindness(t *testing.T) {
	t.Parallel()
	b := newBlindRun(t)
	waiting := b.whileWaiting()
	left := b.afterDelivery()
	read := b.afterReading()
	quiet := b.afterTheHour()
	rotated, retired := b.afterRotation()

	everything := newAttack(lootOf(t, waiting, left, read, quiet, rotated, retired))
	everything.takeKeys(t, waiting, "server.key").takeKeys(t, rotated, "server.key").takeKeys(t, retired, "server.key").takeKeys(t, retired, "queue.ring").deep()
	b.checkBlind(everything)
	b.checkWaiting(waiting)
	b.checkSecrets(everything)
	b.checkFreed(waiting)
	b.checkWeak(read, everything)
	b.checkRetired(waiting, read, retired)
}

// blindRun is the gateway under attack and what its people know.
type blindRun struct {
	t    testing.TB
	tr   *trial
	hop  *hop
	bob  *person
	text map[string]string // message -> words that only it holds

	link, cookie string // secrets that prove the search
	first        string // name of the message behind link
	old          string // id of the first server key
}

func newBlindRun(t testing.TB) *blindRun {
	b := &blindRun{t: t, tr: newTrial(t, ""), text: map[string]string{}}
	b.tr.retry = "300ms"
	b.hop = b.tr.behind()
	b.tr.start()
	return b
}

func (b *blindRun) send(name, to, tag string, size int) {
	b.t.Helper()
	b.text[name] = word(name)
	raw := letterText("Alice <alice@example.org>", to, tag+" "+b.text[name], "<"+name+"@example.org>", "")
	raw = append(raw, strings.Repeat(b.text[name]+"\r\n", size)...)
	b.tr.send(b.t, "alice@example.org", []string{to}, raw)
}

// whileWaiting is a copy from while everything waits for the next hop.
func (b *blindRun) whileWaiting() string {
	b.send("small", "bob@ext.example", "[secure]", 1)
	b.send("large", "bob@ext.example", "[secure]", 8000)
	b.send("ordinary", "dave@ext.example", "", 1)
	b.send("unread", "carol@ext.example", "[secure]", 1)
	waitUntil(b.t, "deliveries were tried", func() bool { return strings.Count(b.tr.log.String(), `"result":"deferred"`) >= 4 })
	return b.tr.freeze()
}

// afterDelivery is a copy from a moment after all has left.
func (b *blindRun) afterDelivery() string {
	b.hop.shut.Store(false)
	b.tr.await("dave@ext.example", b.text["ordinary"])
	b.tr.await("carol@ext.example", "/p/")
	b.tr.waitForEmptyQueue(b.t)
	return b.tr.freeze()
}

// afterReading is a copy from after all that a recipient can do.
func (b *blindRun) afterReading() string {
	b.bob = b.tr.person()
	var links []string
	for _, m := range b.tr.notes("bob@ext.example", 2) {
		links = append(links, b.tr.link(m))
	}
	b.link = links[0]
	message := b.bob.register(links[0])
	if b.first = "small"; strings.Contains(message.body, b.text["large"]) {
		b.first = "large"
	}
	b.tr.confirm(b.bob, "bob@ext.example")
	b.bob.wantStatus(http.StatusOK, b.bob.post(links[1]))
	b.bob.wantStatus(http.StatusOK, b.bob.post(links[0])) // a second time
	b.send("confirmed", "bob@ext.example", "[secure]", 1)
	b.tr.notes("bob@ext.example", 3)
	b.text["reply"] = word("reply")
	path, _, _ := strings.Cut(strings.TrimPrefix(message.url, b.bob.site), "?")
	b.bob.wantStatus(http.StatusOK, b.bob.postFiles(path+"/reply", [][2]string{{"text", b.text["reply"]}}))
	b.tr.await("alice@example.org", b.text["reply"])
	b.bob.alias(b.tr, "robert@ext.example")
	b.send("aliased", "robert@ext.example", "[secure]", 1)
	b.tr.notes("robert@ext.example", 1)
	b.merge("rita@ext.example")
	b.tr.cli("message", "renotify", b.tr.itemTo("carol@ext.example"))
	waitUntil(b.t, "carol has two mails", func() bool {
		n := 0
		for _, m := range b.tr.capture.Mails() {
			if m.To[0] == "carol@ext.example" {
				n++
			}
		}
		return n == 2
	})
	b.bob.post("/sign-out")
	b.bob.wantStatus(http.StatusOK, b.bob.signIn("bob@ext.example", goodPassword)).want(b.t, b.text["confirmed"], b.text["aliased"], b.text["merged"])
	b.tr.waitForEmptyQueue(b.t)
	site, err := url.Parse(b.bob.site)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.bob.http.Jar.Cookies(site) {
		if c.Name == "postern" {
			b.cookie = c.Value
		}
	}
	return b.tr.freeze()
}

// merge takes the account of another address into bob's, by its password.
func (b *blindRun) merge(address string) {
	b.t.Helper()
	b.send("merged", address, "[secure]", 1)
	b.tr.person().register(b.tr.link(b.tr.notes(address, 1)[0]))
	b.bob.wantStatus(http.StatusOK, b.bob.post("/settings/address", "do", "add", "alias", address, "old", goodPassword))
	link := linkIn(b.tr.await(address, "/a/").View().Text, b.bob.site+"/a/")
	b.bob.wantStatus(http.StatusOK, b.bob.post(link, "do", "add", "password", goodPassword)).want(b.t, "The address has been added")
}

// afterTheHour stops the gateway and makes, in its place, the pass that it would make two hours later: nothing is left
// that names the queue keys, so they are destroyed.
func (b *blindRun) afterTheHour() string {
	b.t.Helper()
	if err := b.tr.stop(); err != nil {
		b.t.Fatal(err)
	}
	later := func() time.Time { return time.Now().Add(2 * time.Hour) }
	cfg := b.config()
	db, err := openStore(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	ring, err := seal.OpenRing(filepath.Join(cfg.DataDir, "keys"), later)
	if err != nil {
		b.t.Fatal(err)
	}
	defer ring.Close()
	s := sweep.Sweeper{Store: db, Ring: ring, Now: later, Log: slog.New(slog.DiscardHandler)}
	if err := s.Pass(context.WithoutCancel(b.t.Context())); err != nil {
		b.t.Fatal(err)
	}
	return b.tr.freeze()
}

// afterRotation starts the gateway again, changes its server key and destroys the old one; between the two is the
// first copy.
func (b *blindRun) afterRotation() (rotated, retired string) {
	b.t.Helper()
	b.tr.start()
	b.old = strings.Fields(strings.Split(b.tr.cli("key", "list"), "\n")[1])[0]
	b.bob.wantStatus(http.StatusOK, b.bob.signIn("bob@ext.example", goodPassword))
	b.tr.cli("key", "rotate")
	rotated = b.tr.freeze()
	b.tr.cli("key", "retire", "--now", b.old)
	b.bob.wantStatus(http.StatusOK, b.bob.get("/")).want(b.t, b.text["small"], b.text["confirmed"])
	return rotated, b.tr.freeze()
}

// checkBlind wants nothing open, by an attack that was complete.
func (b *blindRun) checkBlind(a *attack) {
	b.t.Helper()
	kinds := map[string]int{}
	for _, l := range a.layers {
		kinds[l.ctx[0]]++
	}
	b.t.Logf("%d values in the files, %d layers opened %v, %d guesses tried", len(a.values), len(a.layers), kinds, len(a.tried))
	for _, kind := range []string{"link", "account", "parent", "message-id", "box", "reminder", "session", "mac-key"} {
		if kinds[kind] == 0 {
			b.t.Errorf("the attack found no server layer of kind %s", kind)
		}
	}
	if a.dead > 0 {
		b.t.Errorf("%d values of records are under a server key but in no context that the attack knows", a.dead)
	}
	if len(a.messages) < 6 {
		b.t.Errorf("the attack knows %d messages", len(a.messages))
	}
	if gains := a.gains(); gains != "" {
		b.t.Errorf("with all copies and all server keys opens: %s", gains)
	}
	for _, l := range a.layers {
		for name, text := range b.text {
			if bytes.Contains(l.inner, []byte(text)) {
				b.t.Errorf("under the server layer %s lies text of the %s message", l.ctx[0], name)
			}
		}
	}
}

// checkWaiting: with the queue keys of the moment the waiting mails open, and lead through their links to the text.
func (b *blindRun) checkWaiting(waiting string) {
	b.t.Helper()
	a := newAttack(lootOf(b.t, waiting)).takeKeys(b.t, waiting, "server.key").run()
	b.wantOpen("the server key of the moment", a)
	b.wantOpen("the queue keys of the moment", a.with(func(a *attack) { a.takeKeys(b.t, waiting, "queue.ring") }), "small", "large", "ordinary", "unread")
}

// checkFreed: what was deleted from the store is in freed pages still, and with the queue keys of the moment the
// search finds it there. That is why the keys are destroyed, and proves that freed pages are searched.
func (b *blindRun) checkFreed(waiting string) {
	b.t.Helper()
	dir := b.t.TempDir()
	copyFolder(b.t, waiting, dir)
	cfg := b.config()
	cfg.DataDir = filepath.Join(dir, "data")
	db, err := openStore(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.t.Fatal(err)
	}
	err = db.Update(b.t.Context(), func(tx store.Tx) error {
		items, _, err := tx.Queue().List("", "", 100)
		for _, item := range items {
			err = errors.Join(err, tx.Queue().Remove(item.Key))
		}
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		b.t.Fatal(err)
	}
	l := lootOf(b.t, dir)
	maps.Copy(l.rcpts, lootOf(b.t, waiting).rcpts) // ids are no secrets
	a := newAttack(l).takeKeys(b.t, dir, "server.key").takeKeys(b.t, dir, "queue.ring").run()
	b.wantOpen("freed pages and the queue keys of the moment", a, "small", "large", "ordinary", "unread")
}

// config is the gateway's.
func (b *blindRun) config() config.Config {
	b.t.Helper()
	cfg, err := config.Load(b.tr.configPath(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return cfg
}

// checkSecrets: each secret of the recipient opens what it should.
func (b *blindRun) checkSecrets(a *attack) {
	b.t.Helper()
	link, err := seal.ParseToken(seal.TokenPickup, b.link)
	if err != nil {
		b.t.Fatal(err)
	}
	cookie, err := seal.ParseSessionToken(b.cookie)
	if err != nil {
		b.t.Fatal(err)
	}
	b.wantOpen("one link", a.with(func(a *attack) { a.guessAll(link[:], false) }), b.first, "reply")
	b.wantOpen("the password", a.with(func(a *attack) { a.tryPassword(b.t, goodPassword) }), "small", "large", "confirmed", "reply", "aliased", "merged")
	b.wantOpen("a cookie", a.with(func(a *attack) { a.guessAll(cookie[:], false) }), "small", "large", "confirmed", "reply", "aliased", "merged")
	b.wantOpen("a wrong password", a.with(func(a *attack) { a.tryPassword(b.t, "animals") }))
}

// wantOpen wants exactly these messages open.
func (b *blindRun) wantOpen(with string, a *attack, names ...string) {
	b.t.Helper()
	b.t.Logf("with %s opens: %s", with, a.gains())
	for name, text := range b.text {
		if open, want := a.found(text), slices.Contains(names, name); open != want {
			b.t.Errorf("with %s: the %s message is open: %t, want %t", with, name, open, want)
		}
	}
}

// checkRetired: with the keys that are left, old copies show not even what is under the server layer, and nowhere in
// the folder of keys is anything left of the old ones.
func (b *blindRun) checkRetired(waiting, read, retired string) {
	b.t.Helper()
	for _, dir := range []string{waiting, read} {
		a := newAttack(lootOf(b.t, dir)).takeKeys(b.t, retired, "server.key").takeKeys(b.t, retired, "queue.ring").run()
		if len(a.layers) > 0 || a.gains() != "" {
			b.t.Errorf("with the new keys an old copy shows %d server layers, and %s", len(a.layers), a.gains())
		}
		if a = a.with(func(a *attack) { a.takeKeys(b.t, waiting, "server.key").openLayers(a.values) }); len(a.layers) == 0 {
			b.t.Error("with the old server key an old copy shows no server layer: the check proves nothing")
		}
	}
	for _, name := range []string{"server.key", "queue.ring"} {
		old, err := os.ReadFile(filepath.Join(waiting, "data", "keys", name))
		if err != nil {
			b.t.Fatal(err)
		}
		n := newNeedles()
		for line := range strings.Lines(string(old)) {
			fields := strings.Fields(line)
			n.add("a key of "+name, fields[len(fields)-1])
			n.addOctets("a key of "+name, b.octets(fields[len(fields)-1]))
		}
		if len(n.findIn(b.t, waiting)) == 0 {
			b.t.Errorf("the search does not find the keys of %s where they are", name)
		}
		for _, f := range n.findIn(b.t, retired) {
			b.t.Errorf("after it was destroyed: %s", f)
		}
	}
}

func (b *blindRun) octets(text string) []byte {
	b.t.Helper()
	octets, err := store.DecodeB32(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return octets[:32]
}
