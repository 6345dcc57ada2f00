package console

import (
	"net/http"

	"postern/pickup/admin"
)

// settingsPage is settings.html: the configuration in force.
type settingsPage struct {
	page
	YAML string
}

func (c *Console) settings(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	yaml, err := c.Admin.SettingsShow(r.Context(), who.Actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "settings", settingsPage{page: c.page(r, who, "settings"), YAML: yaml})
}

// keysPage is keys.html: the server keys and how much each still seals.
type keysPage struct {
	page
	Keys []admin.KeyRow
}

func (c *Console) keys(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	keys, err := c.Admin.KeyList(r.Context(), who.Actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "keys", keysPage{page: c.page(r, who, "settings"), Keys: keys})
}
