package bolt

import (
	"bytes"
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
