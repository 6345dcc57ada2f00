package seal

import (
	"bytes"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"postern/store"
)

// testToken is the vector of KEYS K2.
const testToken = "1000g40r40m30e209185gr38e1w8124gk9d90"

func testKeys(t testing.TB) *ServerKeys {
	t.Helper()
	keys, err := CreateServerKeys(filepath.Join(t.TempDir(), "keys", "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func testRcpt(n uint32) store.RcptKey {
	return store.RcptKey{Message: store.NewMessageID(time.UnixMilli(1_700_000_000_000)), N: n}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// sealBody seals p as the body of id.
func sealBody(t testing.TB, id store.MessageID, p []byte) (FileKey, []byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FileKey(), out.Bytes()
}
