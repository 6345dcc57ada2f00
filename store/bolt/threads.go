package bolt

import (
	"bytes"
	"time"

	"postern/store"
)

// threads implements store.Threads. A value is the version octet, the message and the end.
type threads struct{ t *tx }

const threadValueLen = 1 + idLen + msLen

// Put remembers a thread; one that is remembered already keeps the later end.
func (th threads) Put(id store.ThreadID, m store.MessageID, ends time.Time) error {
	end := msKey(ends)
	if old := th.end(id); old != nil {
		if bytes.Compare(end, old) <= 0 {
			return nil
		}
		if err := th.t.del(threadEndB, join(old, id[:])); err != nil {
			return err
		}
	}
	if err := th.t.put(threadEndB, join(end, id[:]), nil); err != nil {
		return err
	}
	return th.t.put(threadsB, id[:], wrapRaw(join(m[:], end)))
}

// end is when the memory of a thread ends, as in the index; nil: it is not remembered.
func (th threads) end(id store.ThreadID) []byte {
	value := th.t.get(threadsB, id[:])
	if len(value) != threadValueLen {
		return nil
	}
	return bytes.Clone(value[1+idLen:])
}

func (th threads) Sealed(ids []store.ThreadID) (bool, error) {
	for _, id := range ids {
		if th.t.has(threadsB, id[:]) {
			return true, nil
		}
	}
	return false, nil
}

func (th threads) Sweep(t time.Time, n int) (int, error) {
	limit := afterMs(t)
	ended := first(th.t, threadEndB, nil, n, func(k []byte) ([]byte, bool) {
		return bytes.Clone(k), bytes.Compare(k, limit) < 0
	})
	for _, k := range ended {
		if err := th.t.del(threadEndB, k); err != nil {
			return 0, err
		}
		if err := th.t.del(threadsB, k[msLen:]); err != nil {
			return 0, err
		}
	}
	return len(ended), nil
}
