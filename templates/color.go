package templates

import (
	"fmt"
	"math"
	"strconv"
)

// color is a colour of the web, one byte of red, green and blue each.
type color [3]uint8

var (
	black = color{}
	white = color{255, 255, 255}
)

func parseColor(s string) (color, error) {
	n, err := strconv.ParseUint(s[min(1, len(s)):], 16, 24)
	if err != nil || len(s) != 7 || s[0] != '#' {
		return color{}, fmt.Errorf("%q is not a colour: write it as # and six hexadecimal digits, such as #1d4ed8", s)
	}
	return color{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

func (c color) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// contrast is the contrast of two colours, between 1 and 21 (WCAG 2.2, "contrast ratio").
func contrast(a, b color) float64 {
	light, dark := a.luminance(), b.luminance()
	if light < dark {
		light, dark = dark, light
	}
	return (light + 0.05) / (dark + 0.05)
}

// luminance is WCAG's relative luminance.
func (c color) luminance() float64 {
	var linear [3]float64
	for i, part := range c {
		v := float64(part) / 255
		if v <= 0.04045 {
			linear[i] = v / 12.92
		} else {
			linear[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*linear[0] + 0.7152*linear[1] + 0.0722*linear[2]
}

// on is the colour of text on this one: black or white, whichever is easier to read. One of them always has 4.5:1.
func (c color) on() color {
	if contrast(c, black) > contrast(c, white) {
		return black
	}
	return white
}

// toward mixes c with another colour, as little as needed for a contrast against the ground.
func (c color) toward(other, ground color, wanted float64) color {
	const steps = 100
	mixed := c
	for step := 0; step <= steps && contrast(mixed, ground) < wanted; step++ {
		for i := range mixed {
			mixed[i] = uint8((int(c[i])*(steps-step) + int(other[i])*step) / steps)
		}
	}
	return mixed
}
