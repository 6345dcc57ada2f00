package console

import (
	"strings"

	"postern/pickup/admin"
)

// Route is a line of the route table, for the role walk.
type Route struct {
	Method, Path string
	Needs        admin.Method
	Open         bool
}

// Routes is the route table.
func (c *Console) Routes() (list []Route) {
	for _, r := range c.routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		list = append(list, Route{method, strings.TrimSuffix(path, "{$}"), r.needs, r.open})
	}
	return list
}
