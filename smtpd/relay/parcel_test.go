package relay

import (
	"errors"
	"io"
	"testing"

	"postern/store"
)

// unreadableBody is a stored message on a disk that has trouble.
type unreadableBody struct{ error }

func (u unreadableBody) Read([]byte) (int, error)       { return 0, u.error }
func (u unreadableBody) Seek(int64, int) (int64, error) { return 0, nil }

// TestI7TroubleReadingAHeaderIsNoNeedOfSMTPUTF8: whether mail needs the extension stands in its header. When that cannot
// be read now, the message waits; it does not bounce for what the next hop lacks.
func TestI7TroubleReadingAHeaderIsNoNeedOfSMTPUTF8(t *testing.T) {
	t.Parallel()
	trouble := errors.New("input/output error")
	bob := store.Rcpt{Address: store.Address{Local: "bob", Domain: "ext.example"}}
	p := &parcel{
		items:   []store.QueueItem{{UTF8: true, EightBit: true, To: bob}},
		content: &content{body: unreadableBody{trouble}},
	}
	if _, err := p.needsUTF8(); !errors.Is(err, trouble) {
		t.Errorf("%v", err)
	}
	if a := unreadable(trouble); a.permanent {
		t.Errorf("answer %+v", a)
	}
	if a := unreadable(store.ErrCorrupt); !a.permanent || !a.damaged {
		t.Errorf("answer to damage %+v", a)
	}
	if _, err := p.header(); !errors.Is(err, trouble) || errors.Is(err, io.EOF) {
		t.Errorf("header: %v", err)
	}
}
