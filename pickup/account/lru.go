package account

import "container/list"

// lru is a map of at most max entries; one more drops the one that was not used for the longest time.
type lru[K comparable, V any] struct {
	max   int
	order *list.List // of entry, last used first
	at    map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key K
	val *V
}

func newLRU[K comparable, V any](max int) *lru[K, V] {
	return &lru[K, V]{max: max, order: list.New(), at: make(map[K]*list.Element)}
}

// get returns the value of k, made by fresh when there is none.
func (m *lru[K, V]) get(k K, fresh func() V) *V {
	if e, ok := m.at[k]; ok {
		m.order.MoveToFront(e)
		return e.Value.(entry[K, V]).val
	}
	if m.order.Len() >= m.max {
		m.drop(m.order.Back())
	}
	v := fresh()
	m.at[k] = m.order.PushFront(entry[K, V]{k, &v})
	return &v
}

func (m *lru[K, V]) delete(k K) {
	if e, ok := m.at[k]; ok {
		m.drop(e)
	}
}

func (m *lru[K, V]) drop(e *list.Element) {
	m.order.Remove(e)
	delete(m.at, e.Value.(entry[K, V]).key)
}

func (m *lru[K, V]) len() int { return m.order.Len() }
