package server_test

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// axeScript is axe-core, which looks for barriers. "make needs" fetches it.
const axeScript = "../.cache/axe-core-4.14.1/axe.min.js"

// violation is one rule that a page breaks.
type violation struct {
	ID, Help string
	Nodes    []struct {
		HTML           string
		FailureSummary string
	}
}

// barriers runs axe-core on what the tab shows.
func (b *tab) barriers(source string) []violation {
	b.t.Helper()
	if !ask[bool](b, `typeof axe === "object"`) {
		ask[chromedp.Void](b, source)
	}
	return ask[[]violation](b, `axe.run(document, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"],
	}).then(found => found.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))})))`)
}

// WCAG 2.2 AA, as far as a program can tell, on every page, narrow and wide, light and dark. SC 1.4.10: nothing has to be
// scrolled sideways, not even on the narrowest screen.
func TestChromiumFindsNoBarriers(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(axeScript)
	if err != nil {
		redistest.Missing(t, "axe-core is not there (make needs)")
	}
	d := deployBolt(t)
	b := d.tab(t)
	d.tour(t, b, func(name string) {
		b.screen(320, "light")
		if got := ask[int](b, `document.documentElement.scrollWidth`); got > 320 {
			t.Errorf("%s is %d px wide on a screen of 320", name, got)
		}
		for _, width := range []int{360, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				b.screen(width, scheme)
				for _, found := range b.barriers(string(source)) {
					for _, node := range found.Nodes {
						t.Errorf("%s, %d px, %s: %s (%s)\n%s\n%s", name, width, scheme, found.ID, found.Help, node.HTML, node.FailureSummary)
					}
				}
			}
		}
	})
}
