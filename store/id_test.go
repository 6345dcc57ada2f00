package store

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

func TestMessageIDsSortByTime(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	var ids []string
	for i := range 100 {
		id := NewMessageID(at.Add(time.Duration(i) * time.Millisecond))
		if want := at.Add(time.Duration(i) * time.Millisecond); !id.Time().Equal(want) {
			t.Fatalf("time of %s is %s, want %s", id, id.Time(), want)
		}
		ids = append(ids, id.String())
	}
	if !slices.IsSorted(ids) {
		t.Error("the text forms do not sort by time")
	}
}

func TestIDEndsReadBack(t *testing.T) {
	for range 50 {
		id := NewMessageID(time.Now())
		text := id.String()
		short := text[16:21] + "-" + text[21:]
		for _, s := range []string{short, text[16:]} {
			if e, err := ParseIDEnd(s); err != nil || e != id.End() || e.String() != short {
				t.Fatalf("%q of %s reads as %s, %v", s, text, e, err)
			}
		}
	}
	for _, bad := range []string{"", "-", "abcde-abcd", "abcde-abcdez", "abcdeabcde-", "-abcdeabcde", "abcd-eabcde", "ABCDE-ABCD0", "abcde-abcd1", "abcde-ilou0", "abcde--abcd0"} {
		if e, err := ParseIDEnd(bad); err == nil {
			t.Errorf("%q reads as %s", bad, e)
		}
	}
}

func TestIDsReadBack(t *testing.T) {
	type row struct {
		M MessageID
		K RcptKey
		T ThreadID
		Z MessageID `json:",omitzero"`
	}
	in := row{M: NewMessageID(time.Now()), K: RcptKey{NewMessageID(time.Now()), 7}, T: ThreadID{1, 2}}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out row
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Fatalf("%s reads back as %+v, %v", text, out, err)
	}
}

func TestParseRcptKeyRefuses(t *testing.T) {
	id := NewMessageID(time.Now()).String()
	for _, s := range []string{"", id, id + ".", id + ".x", id + ".01", id + ".-1", id + ".4294967296", id + ".1 ", id + "1.1", "x" + id[1:25] + "u.1", id + ".1.2"} {
		if k, err := ParseRcptKey(s); err == nil {
			t.Errorf("%q was read as %s", s, k)
		}
	}
}

func TestB32IsCrockfordsAlphabet(t *testing.T) {
	if got := EncodeB32([]byte{0, 1, 2, 3, 4}); got != "000g40r4" {
		t.Errorf("got %s", got)
	}
	if _, err := DecodeB32("00OG40R4"); err == nil {
		t.Error("capitals are not what EncodeB32 writes")
	}
}
