package pickup

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

// The fields of an upload are read into memory, the headers of its parts too: megabytes of them are refused (I8).
func TestI8HeadersOfAnUploadAreBounded(t *testing.T) {
	t.Parallel()
	const field = "Content-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n--x--\r\n"
	for name, test := range map[string]struct {
		header string
		ok     bool
	}{
		"ordinary": {"X-A: a\r\n", true},
		"2 MB":     {strings.Repeat("X-A: "+strings.Repeat("a", 900)+"\r\n", 2000), false},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("--x\r\n"+test.header+field))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		if _, err := newUpload(r, Limits{Files: 1, Bytes: 1 << 20, Text: 64 << 10}); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGateForgetsWhoLeft(t *testing.T) {
	t.Parallel()
	g := newGate(1, 1)
	const joan, peter = "joan", "peter"
	done, err := g.person(t.Context(), joan)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.person(gone, joan); !errors.Is(err, context.Canceled) {
		t.Errorf("a second one of the same person: %v", err)
	}
	other, err := g.person(t.Context(), peter)
	if err != nil {
		t.Fatal(err)
	}
	other()
	done()
	if len(g.persons) != 0 {
		t.Errorf("%d persons are remembered", len(g.persons))
	}
}
