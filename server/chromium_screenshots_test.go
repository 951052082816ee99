package server_test

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// screenshotMax keeps the pictures small enough for a document.
const screenshotMax = 60 << 10

// The pictures of docs/pages are those that can be drawn of the pages, all of them and no others. "make pages" renews them.
func TestScreenshots(t *testing.T) {
	folder := cmp.Or(os.Getenv("SAFECONDUCT_TEST_SCREENSHOTS"), t.TempDir())
	shown := map[string]bool{"login": true, "login-problem": true, "consent": true, "consent-new": true, "select": true, "problem": true,
		"logout": true, "signed-out": true, "account": true, "password": true, "sessions": true, "apps": true, "tokens": true}
	d := deployBolt(t)
	b := d.tab(t)
	d.tour(t, b, func(name string) {
		if !shown[name] {
			return
		}
		b.screen(390, "light")
		b.draw(filepath.Join(folder, name+".png"))
		if name == "login" || name == "consent" {
			b.screen(390, "dark")
			b.draw(filepath.Join(folder, name+"-dark.png"))
			b.screen(1280, "light")
			b.draw(filepath.Join(folder, name+"-wide.png"))
		}
	})
	if drawn, kept := pictures(t, folder), pictures(t, "../docs/pages"); !slices.Equal(drawn, kept) {
		t.Errorf("drawn are %v, and docs/pages has %v", drawn, kept)
	}
}

// pictures are the names of the pictures in a folder.
func pictures(t *testing.T, folder string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// draw writes a picture of the whole page to a file.
func (b *tab) draw(file string) {
	b.t.Helper()
	ask[chromedp.Void](b, `document.activeElement.blur()`) // a cursor blinks
	raw, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	full, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	var small bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&small, withPalette(full)); err != nil {
		b.t.Fatal(err)
	}
	if small.Len() > screenshotMax {
		b.t.Errorf("%s has %d bytes, want %d at most", filepath.Base(file), small.Len(), screenshotMax)
	}
	if err := os.WriteFile(file, small.Bytes(), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// withPalette draws a picture with its 256 most frequent colours. Only edges of letters have others, and these are near.
func withPalette(full image.Image) image.Image {
	bounds := full.Bounds()
	counts := make(map[color.RGBA]int)
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	found := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(counts[b]-counts[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	var palette color.Palette
	for _, c := range found[:min(len(found), 256)] {
		palette = append(palette, c)
	}
	nearest := make(map[color.RGBA]uint8, len(counts))
	for c := range counts {
		nearest[c] = uint8(palette.Index(c))
	}
	small := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			small.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	return small
}
