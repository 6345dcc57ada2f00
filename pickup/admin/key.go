package admin

import "postern/store"

// KeyRow is one server key.
type KeyRow struct {
	ID      store.KeyID `json:"id"`
	Rows    int         `json:"rows"` // sealed under it
	Current bool        `json:"current"`
}
