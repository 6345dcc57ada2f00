package config

import (
	"reflect"
	"time"
)

// keys lists every scalar or list key as section::key, in order of the struct.
func keys() []string { return keysOf(reflect.TypeFor[Config](), "") }

func keysOf(t reflect.Type, prefix string) (out []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := prefix + f.Tag.Get("mapstructure")
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
			out = append(out, keysOf(f.Type, name+"::")...)
			continue
		}
		out = append(out, name)
	}
	return out
}
