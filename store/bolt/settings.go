package bolt

import (
	"fmt"

	"postern/store"
)

// settings implements store.Settings.
type settings struct{ t *tx }

func (s settings) Get(name string) ([]byte, error) {
	value := s.t.get(settingsB, []byte(name))
	if value == nil {
		return nil, fmt.Errorf("setting %q: %w", name, store.ErrNotFound)
	}
	b, ok := unwrapRaw(value)
	if !ok {
		return nil, fmt.Errorf("setting %q: %w", name, store.ErrCorrupt)
	}
	return b, nil
}

func (s settings) Set(name string, value []byte) error {
	if err := checkText("name", name); err != nil {
		return fmt.Errorf("setting: %w", err)
	}
	return s.t.put(settingsB, []byte(name), wrapRaw(value))
}

func (s settings) Delete(name string) error { return s.t.del(settingsB, []byte(name)) }

func (s settings) Names(prefix string) (names []string, err error) {
	for k := range s.t.up(settingsB, []byte(prefix), nil) {
		names = append(names, string(k))
	}
	return names, nil
}
