package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	octets "encoding/binary"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// totpNow is what an authenticator app shows for a key (RFC 6238).
func totpNow(t *testing.T, key string) string {
	t.Helper()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(key, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, secret)
	mac.Write(octets.BigEndian.AppendUint64(nil, uint64(time.Now().Unix()/30)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (octets.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}

// TestConsoleEndToEnd: an administrator is made on the command line, sets the access up by the printed link, and
// disables a user, whose session is over at once (B5, B6). At a message's address he gets 403 while he is signed in
// (A7), on both sites.
func TestConsoleEndToEnd(t *testing.T) {
	t.Parallel()
	desk := freeAddr(t)
	tr := newTrial(t, "")
	tr.edit = func(yaml string) string {
		return strings.Replace(yaml, `admin: {listen: "", url: "https://console.example.org"}`, `admin: {listen: "`+desk+`"}`, 1)
	}
	tr.start()
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] Plans", "<plans@example.org>", ""))
	bob := tr.person()
	message := bob.register(tr.link(tr.await("bob@ext.example", "X-Postern-Origin: v1 notification"))).want(t, "Plans")

	printed, code := tr.postern("admin", "create", "dana@example.org")
	link := regexp.MustCompile(`(?m)^http://` + regexp.QuoteMeta(desk) + `/n/[0-9a-z]{37}$`).FindString(printed)
	if code != exitOK || link == "" {
		t.Fatalf("admin create: %d\n%s", code, printed)
	}
	dana := tr.person()
	dana.site = "http://" + desk
	key := regexp.MustCompile(`>((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})<`).FindStringSubmatch(dana.get(link).body)
	if key == nil {
		t.Fatal("the set-up page shows no key")
	}
	dana.post(link, "password", goodPassword, "password2", goodPassword, "code", totpNow(t, key[1])).want(t, "Dashboard", "dana@example.org")
	if dana.get(message.url).status != http.StatusForbidden || dana.get("/m/"+strings.SplitAfter(message.url, "/m/")[1]).status != http.StatusForbidden {
		t.Error("a message's address does not answer 403")
	}
	dana.get("/messages").want(t, "bob<wbr>@ext.example").without(t, "Plans")

	user := dana.get("/users?q=bob").href(t, "^/users/[0-9a-z]{26}$")
	dana.get(user).want(t, "User Account", "Disabled", "Save")
	dana.post(user, "status", "disabled").want(t, "Disable")
	bob.get(message.url).want(t, "Plans")
	dana.post(user, "status", "disabled", "sure", "yes").want(t, "The user is disabled")
	bob.get(message.url).want(t, `name="password"`).without(t, "Plans")
	tr.person().signIn("bob@ext.example", goodPassword).want(t, "Invalid username, password or permissions.")

	dana.post("/sign-out").want(t, "You are signed out")
	if dana.get(message.url).status == http.StatusForbidden {
		t.Error("a console session that has ended still counts")
	}
	if log := tr.log.String(); strings.Contains(log, link[len(link)-37:]) || strings.Contains(log, "Plans") {
		t.Error("link or subject are in the log")
	}
	if err := tr.stop(); err != nil {
		t.Errorf("the gateway ended with %v", err)
	}
}
