package storetest

import (
	"crypto/rand"
	"fmt"
	"reflect"
	"time"

	"postern/store"
)

// message is a message that arrived n minutes after start.
func message(n int) store.Message {
	from := address("alice@example.org")
	return store.Message{ID: store.NewMessageID(at(n)), At: at(n), From: &from, Size: 100, Stored: 200, Refs: 1}
}

// sealed is recipient n of a message, to be picked up by expiry minutes after start.
func sealed(m store.Message, n uint32, to string, expiry int) store.Recipient {
	return store.Recipient{
		Key: store.RcptKey{Message: m.ID, N: n}, Address: address(to), Sender: *m.From, Action: store.ActionSeal,
		State: store.StateQueued, Since: m.At, Expires: at(expiry),
	}
}

// relayed is recipient n of a message that passes through.
func relayed(m store.Message, n uint32, to string) store.Recipient {
	r := sealed(m, n, to, 0)
	r.Action, r.Expires = store.ActionRelay, time.Time{}
	return r
}

// create stores a message with its recipients.
func (b *bench) create(m store.Message, rcpts ...store.Recipient) {
	b.Helper()
	b.update(func(tx store.Tx) error { return tx.Messages().Create(m, rcpts) })
}

// change reads a recipient, changes it and stores it.
func (b *bench) change(k store.RcptKey, f func(r *store.Recipient)) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		r, err := tx.Messages().Recipient(k)
		if err != nil {
			return err
		}
		f(&r)
		return tx.Messages().Set(r)
	})
}

func (b *bench) recipient(k store.RcptKey) store.Recipient {
	b.Helper()
	return read(b, func(tx store.Tx) (store.Recipient, error) { return tx.Messages().Recipient(k) })
}

// item is a queue item to a domain that is due n minutes after start.
func item(domain string, n int) store.QueueItem {
	return store.QueueItem{
		Key: store.RcptKey{Message: store.NewMessageID(at(0)), N: 1}, Kind: store.KindRelay, Domain: domain,
		To: store.Rcpt{Address: address("bob@" + domain)}, KeyID: "key00001", Wrap: []byte("wrap"),
		Arrived: at(n), Due: at(n), GiveUp: at(n + 1000),
	}
}

func (b *bench) put(items ...store.QueueItem) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		for _, i := range items {
			if err := tx.Queue().Put(i); err != nil {
				return err
			}
		}
		return nil
	})
}

// filled is a record with a value of its own in every field that is stored, times with more than a record keeps.
func filled[T any]() (record T) {
	n := 0
	fill(reflect.ValueOf(&record).Elem(), &n)
	return record
}

func fill(v reflect.Value, n *int) {
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(start.Add(time.Duration(*n) * time.Minute)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(byte(*n + i)))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("fact"), reflect.ValueOf(fmt.Sprintf("<&\"äö %d", *n)))
	default:
		fillBasic(v, *n)
	}
}

func fillBasic(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text-<&ä-%d", n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() {
			n *= int(time.Minute)
		}
		v.SetInt(int64(n))
	case reflect.Int:
		v.SetInt(int64(n))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(byte(n)))
	default:
		panic("storetest: no value for a " + v.Type().String())
	}
}

// cutTimes is a record with its times as they are kept.
func cutTimes[T any](record T) T {
	cutValue(reflect.ValueOf(&record).Elem())
	return record
}

func cutValue(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(kept(v.Interface().(time.Time))))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			cutValue(v.Field(i))
		}
	case v.Kind() == reflect.Pointer:
		cutValue(v.Elem())
	case v.Kind() == reflect.Slice:
		// A copy: the caller compares with the record that it handed in.
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(copied, v)
		v.Set(copied)
		for i := range v.Len() {
			cutValue(v.Index(i))
		}
	}
}

// newLink is a link of its own.
func newLink() (l store.LinkID) {
	rand.Read(l[:])
	return l
}
