package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"postern/store"
)

func TestCard(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	for _, n := range []int{0, 2, 511, 512, 513, 16 << 10} {
		card := []byte(strings.Repeat("x", n))
		fk := FileKey(random(16))
		sealed := fk.SealCard(id, card)
		if (len(sealed)-28)%cardStep != 0 || len(sealed) == 28 {
			t.Errorf("%d octets: sealed card has %d", n, len(sealed))
		}
		got, err := fk.OpenCard(id, sealed)
		if err != nil || !bytes.Equal(got, card) {
			t.Errorf("%d octets: %v", n, err)
		}
		if _, err := fk.OpenCard(store.MessageID{9}, sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("%d octets: opens for another message: %v", n, err)
		}
		if _, err := FileKey(random(16)).OpenCard(id, sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("%d octets: opens with another key: %v", n, err)
		}
	}
	if fmt.Sprint(len(FileKey{1}.SealCard(id, []byte("{}")))) != "540" {
		t.Error("a small card is not one step long")
	}
}
