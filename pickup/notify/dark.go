package notify

import (
	"fmt"
	"math"
	"strconv"
)

// darkSheet is what a mail's text stands on where the reader prefers dark, and legible how a colour must stand out from
// it (WCAG 2.2, 1.4.6).
const (
	darkSheet = 0x18201d
	legible   = 7.0
)

// onDark is a colour "#rrggbb" made lighter until it is legible on a dark sheet.
func onDark(colour string) string {
	n, err := strconv.ParseUint(colour[1:], 16, 32)
	if err != nil {
		return colour // New has checked its form
	}
	for step := range uint64(21) {
		c := mix(n, step*5)
		if (luminance(c)+0.05)/(luminance(darkSheet)+0.05) >= legible {
			return fmt.Sprintf("#%06x", c)
		}
	}
	return "#ffffff"
}

// mix is a colour with so many per cent of white.
func mix(colour, white uint64) (mixed uint64) {
	for shift := 16; shift >= 0; shift -= 8 {
		part := colour >> shift & 0xff
		mixed |= (part + (0xff-part)*white/100) << shift
	}
	return mixed
}

// luminance is WCAG's relative luminance.
func luminance(colour uint64) float64 {
	part := func(shift int) float64 {
		c := float64(colour>>shift&0xff) / 0xff
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}
