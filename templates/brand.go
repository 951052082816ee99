package templates

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Brand is how the pages look to be the operator's.
type Brand struct {
	// Name is what people know the server by; empty for "Safeconduct".
	Name string
	// Logo is a picture for the head of every page, in place of the name, and LogoType its media type: image/png,
	// image/svg+xml, image/webp, or empty to find out.
	Logo     []byte
	LogoType string
	// Accent is the colour of buttons and links as #rrggbb, AccentDark the one for dark screens. Without AccentDark it is
	// Accent, lightened until it can be read.
	Accent, AccentDark string
}

const (
	// LogoMax is the size of the largest logo.
	LogoMax = 256 << 10
	// contrastMin is WCAG 2.2's success criterion 1.4.3 for text.
	contrastMin = 4.5
	// contrastDerived is what a colour that we make has: light text tires the eyes less when it is clearly light.
	contrastDerived = 7
)

// BrandError says which part of a Brand cannot be used, and why.
type BrandError struct {
	Part BrandPart
	Err  error
}

// BrandPart names a part of a Brand.
type BrandPart string

// The parts that can be wrong.
const (
	PartLogo       BrandPart = "logo"
	PartAccent     BrandPart = "accent"
	PartAccentDark BrandPart = "accent_dark"
)

func (e *BrandError) Error() string { return e.Err.Error() }

func (e *BrandError) Unwrap() error { return e.Err }

// The panels of style.css, on which buttons and links stand.
var (
	panel     = white
	panelDark = color{0x17, 0x1b, 0x21}
)

// brand is a Brand that was checked.
type brand struct {
	Name     string
	logo     []byte
	logoType string
	theme    string
}

func (b Brand) check() (brand, error) {
	checked := brand{Name: b.Name, logo: b.Logo}
	if b.Name == "" {
		checked.Name = "Safeconduct"
	}
	var err error
	if len(b.Logo) > 0 {
		if checked.logoType, err = checkLogo(b.Logo, b.LogoType); err != nil {
			return brand{}, &BrandError{PartLogo, err}
		}
	}
	if checked.theme, err = b.colors(); err != nil {
		return brand{}, err
	}
	return checked, nil
}

// colors is the style sheet of the brand's colours; empty if it has none.
func (b Brand) colors() (string, error) {
	var light, dark color
	var err error
	if b.Accent != "" {
		if light, err = accent("accent", b.Accent, "light", panel, black); err != nil {
			return "", &BrandError{PartAccent, err}
		}
		dark = light.toward(white, panelDark, contrastDerived)
	}
	if b.AccentDark != "" {
		if dark, err = accent("dark accent", b.AccentDark, "dark", panelDark, white); err != nil {
			return "", &BrandError{PartAccentDark, err}
		}
	}
	rule := func(c color) string { return fmt.Sprintf(":root{--accent:%s;--on-accent:%s}", c, c.on()) }
	switch {
	case b.Accent == "" && b.AccentDark == "":
		return "", nil
	case b.Accent == "":
		return "@media (prefers-color-scheme:dark){" + rule(dark) + "}\n", nil
	}
	return rule(light) + "\n@media (prefers-color-scheme:dark){" + rule(dark) + "}\n", nil
}

// accent refuses a colour that people could not read, and names the nearest that they could.
func accent(what, value, theme string, ground, toward color) (color, error) {
	c, err := parseColor(value)
	if err != nil {
		return color{}, fmt.Errorf("the %s %w", what, err)
	}
	if measured := contrast(c, ground); measured < contrastMin {
		return color{}, fmt.Errorf("the %s %s cannot be read well: its contrast with the %s background (%s) is %.1f:1 and must be at least %.1f:1; %s would do",
			what, c, theme, ground, measured, contrastMin, c.toward(toward, ground, contrastMin))
	}
	return c, nil
}

// checkLogo returns the type of a logo by what is in it.
func checkLogo(logo []byte, claimed string) (string, error) {
	if len(logo) > LogoMax {
		return "", fmt.Errorf("the logo has %d KB; at most %d KB are allowed, because every visitor loads it", (len(logo)+1023)>>10, LogoMax>>10)
	}
	found := ""
	switch {
	case bytes.HasPrefix(logo, []byte("\x89PNG\r\n\x1a\n")):
		found = "image/png"
	case len(logo) > 12 && string(logo[:4]) == "RIFF" && string(logo[8:12]) == "WEBP":
		found = "image/webp"
	case bytes.HasPrefix(bytes.TrimLeft(logo, "\ufeff \t\r\n"), []byte("<")):
		found = "image/svg+xml"
	}
	if found == "" || claimed != "" && claimed != found {
		return "", errors.New("the logo must be a PNG, SVG or WebP picture, and its type must say which")
	}
	if found == "image/svg+xml" {
		return found, checkSVG(logo)
	}
	return found, nil
}

// checkSVG refuses pictures that do more than to be looked at. Inside a page the browser would not let them; opened by
// themselves they would be a page of ours.
func checkSVG(picture []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(picture))
	for root := true; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && !root {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the logo is no well-formed SVG: %w", err)
		}
		element, is := token.(xml.StartElement)
		if !is {
			continue
		}
		name := strings.ToLower(element.Name.Local)
		if root && name != "svg" {
			return errors.New("the logo is no SVG: its first element is " + element.Name.Local)
		}
		root = false
		if name == "script" || name == "foreignobject" || name == "iframe" {
			return fmt.Errorf("the logo has an element %q, which a picture does not need: remove it", element.Name.Local)
		}
		for _, attribute := range element.Attr {
			name, value := strings.ToLower(attribute.Name.Local), strings.TrimSpace(attribute.Value)
			if strings.HasPrefix(name, "on") || name == "href" && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "data:image/") {
				return fmt.Errorf("the logo has an attribute %q that runs or loads something: remove it", attribute.Name.Local)
			}
		}
	}
}
