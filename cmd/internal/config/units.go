package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Size is a number of octets; in the file "50MiB", "200kB" or plain octets.
type Size int64

var sizeUnits = []struct {
	suffix string
	factor float64
}{ // longer suffixes first
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseSize reads a size with its unit.
func ParseSize(s string) (Size, error) {
	number, factor := strings.TrimSpace(s), 1.0
	for _, u := range sizeUnits {
		if head, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(head), u.factor
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || n*factor > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is not a size (write for example 50MiB)", s)
	}
	return Size(n * factor), nil
}

// String writes the size in a large unit that divides it.
func (s Size) String() string {
	for _, u := range []struct {
		suffix string
		factor Size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"GB", 1e9}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}} {
		if s != 0 && s%u.factor == 0 {
			return fmt.Sprintf("%d%s", s/u.factor, u.suffix)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// ParseDuration reads what time.ParseDuration reads, and days as "30d".
func ParseDuration(s string) (time.Duration, error) {
	days, rest := 0.0, strings.TrimSpace(s)
	if head, tail, ok := strings.Cut(rest, "d"); ok {
		n, err := strconv.ParseFloat(head, 64)
		if err != nil || n < 0 || n > 36500 {
			return 0, durationError(s)
		}
		days, rest = n, tail
	}
	d := time.Duration(days * float64(day))
	if rest == "" && d > 0 {
		return d, nil
	}
	tail, err := time.ParseDuration(rest)
	if err != nil || tail < 0 {
		return 0, durationError(s)
	}
	return d + tail, nil
}

func durationError(s string) error {
	return fmt.Errorf("%q is not a duration (write for example 30d, 12h or 8s)", s)
}

// decodeText is the decoder's hook: it reads the written forms of sizes, of durations with days, of types that read
// themselves, and of lists with commas (as the environment writes them).
func decodeText(_, to reflect.Type, data any) (any, error) {
	s, isText := data.(string)
	if !isText {
		if to == reflect.TypeFor[time.Duration]() {
			return nil, durationError(fmt.Sprint(data))
		}
		return data, nil
	}
	switch to {
	case reflect.TypeFor[time.Duration]():
		return ParseDuration(s)
	case reflect.TypeFor[Size]():
		return ParseSize(s)
	}
	if to.Kind() == reflect.Slice {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }), nil
	}
	if own, ok := reflect.New(to).Interface().(encoding.TextUnmarshaler); ok {
		return own, own.UnmarshalText([]byte(s))
	}
	return data, nil
}
