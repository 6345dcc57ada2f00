package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"postern/store"
)

// valueVersion is the first octet of every value (KEYS K1).
const valueVersion = 1

// encode writes a record as a value.
func encode(what string, record any) ([]byte, error) {
	buf := bytes.NewBuffer(make([]byte, 0, 512))
	buf.WriteByte(valueVersion)
	e := json.NewEncoder(buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(record); err != nil {
		return nil, fmt.Errorf("encode %s: %w", what, err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// decode reads a value into a record; false: it does not read back. The cause is dropped, it may quote content.
func decode(value []byte, record any) bool {
	return len(value) > 1 && value[0] == valueVersion && json.Unmarshal(value[1:], record) == nil
}

// encodeItem writes a queue item: the version, the length of its JSON in 4 octets, the JSON without the sealed mail, the
// sealed mail as it is. Items are read and written several times on their way, and a mail of ours in base64 inside the
// JSON would be most of that work.
func encodeItem(item store.QueueItem) ([]byte, error) {
	sealed := item.Sealed
	item.Sealed = nil
	record, err := encode("queue item", item)
	if err != nil {
		return nil, err
	}
	record = record[1:]
	value := make([]byte, 0, 1+itemLen+len(record)+len(sealed))
	value = append(value, valueVersion)
	value = binary.BigEndian.AppendUint32(value, uint32(len(record)))
	value = append(value, record...)
	return append(value, sealed...), nil
}

// itemLen is the octets of a length in a queue item.
const itemLen = 4

// decodeItem reads what encodeItem wrote; false: it does not read back.
func decodeItem(value []byte, item *store.QueueItem) bool {
	if len(value) < 1+itemLen || value[0] != valueVersion {
		return false
	}
	n, rest := binary.BigEndian.Uint32(value[1:]), value[1+itemLen:]
	if uint64(n) > uint64(len(rest)) || json.Unmarshal(rest[:n], item) != nil {
		return false
	}
	if sealed := rest[n:]; len(sealed) > 0 {
		item.Sealed = bytes.Clone(sealed)
	}
	return true
}

// wrapRaw and unwrapRaw are for values that are no records.
func wrapRaw(b []byte) []byte { return append([]byte{valueVersion}, b...) }

func unwrapRaw(value []byte) ([]byte, bool) {
	if len(value) == 0 || value[0] != valueVersion {
		return nil, false
	}
	return append([]byte{}, value[1:]...), true
}

// cut brings times to what a record keeps: UTC, whole milliseconds, no monotonic clock.
func cut(times ...*time.Time) {
	for _, t := range times {
		*t = t.UTC().Truncate(time.Millisecond)
	}
}

func cutGrants(grants []store.Grant) []store.Grant {
	grants = slices.Clone(grants)
	for i := range grants {
		cut(&grants[i].Made)
	}
	return grants
}
