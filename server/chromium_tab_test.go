package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	browserTestMax = 5 * time.Minute  // a test in the browser, on a busy machine
	browserWaitMax = 30 * time.Second // one step of it
)

// tab is a tab of the browser. What the page does that no page of ours should do is a fault and fails the test at its end:
// errors in the console, breaches of the Content-Security-Policy, requests to other machines.
type tab struct {
	t    testing.TB
	d    *deployment
	life context.Context // of the tab, which no step may end
	ctx  context.Context // of its steps
	x, y float64         // where the mouse is

	mu       sync.Mutex
	faults   []string
	expected []string // parts of faults that the test causes
}

// tab opens a tab in a profile of its own.
func (d *deployment) tab(t testing.TB) *tab {
	t.Helper()
	return d.openTab(t, openChromium(t), chromedp.WithNewBrowserContext())
}

// another opens one more tab in the same profile.
func (b *tab) another() *tab {
	b.t.Helper()
	return b.d.openTab(b.t, b.life)
}

func (d *deployment) openTab(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t, d: d}
	life, end := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.note))...)
	t.Cleanup(end)
	if err := chromedp.Do(life); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	ctx, cancel := context.WithTimeout(life, browserTestMax)
	t.Cleanup(cancel)
	b.life, b.ctx = life, ctx
	command(b, audits.Enable, cdp.Empty{})
	command(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	command(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"})
	t.Cleanup(b.wantNoFaults)
	return b
}

// note sees every event of the tab.
func (b *tab) note(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "data" && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" {
			b.fault("a request left the machine: %s", e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		b.fault("a script failed: %s", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.fault("a script wrote to the console: %s", e.Type)
	case *log.EventEntryAdded:
		// A page that tells of a problem has its status; that is no fault. What belongs to a page must be there.
		status := strings.Contains(e.Entry.Text, "the server responded with a status of 4") && !strings.Contains(e.Entry.URL, "/assets/")
		if !status && (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) {
			b.fault("%s: %s", e.Entry.Source, e.Entry.Text)
		}
	case *audits.EventIssueAdded:
		if found := e.Issue.Details.ContentSecurityPolicyIssueDetails; found != nil {
			b.fault("breach of the Content-Security-Policy: %s of %s", found.ViolatedDirective, found.BlockedURL)
		}
	}
}

func (b *tab) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

func (b *tab) allFaults() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.faults...)
}

func (b *tab) wantNoFaults() {
	for _, found := range b.allFaults() {
		known := false
		for _, part := range b.expected {
			known = known || strings.Contains(found, part)
		}
		if !known {
			b.t.Errorf("in the browser: %s", found)
		}
	}
}

// command sends a command of the DevTools protocol.
func command[P, R any](b *tab, c cdp.Command[P, R], params P) R {
	b.t.Helper()
	result, err := chromedp.Call(b.ctx, c, params)
	if err != nil {
		b.t.Fatalf("%s: %v", c.Method, err)
	}
	return result
}

// ask evaluates an expression in the page, or awaits it. The page's own policy does not hold for it.
func ask[T any](b *tab, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserWaitMax)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.look())
	}
}

// look describes what the tab shows, for failures.
func (b *tab) look() string {
	s, err := b.show()
	if err != nil {
		return err.Error()
	}
	return s.Address + " shows " + s.Text
}

// shown is what a tab shows.
type shown struct{ Address, State, Text string }

func (b *tab) show() (shown, error) {
	return chromedp.Run(b.ctx, chromedp.Evaluate[shown](`({Address: location.href, State: document.readyState, Text: document.body ? document.body.innerText : ""})`))
}

// open goes to an address, or to a path of the server.
func (b *tab) open(address string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.d.url + address
	}
	b.do("open "+address, chromedp.Navigate(address))
}

// wants waits until the tab has loaded a page whose address begins so, and that shows the text. A path is one of the
// server's.
func (b *tab) wants(address, text string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.d.url + address
	}
	var last shown
	var err error
	for deadline := time.Now().Add(browserWaitMax); ; time.Sleep(10 * time.Millisecond) {
		// Between two pages there is nothing to look at, and an error.
		last, err = b.show()
		if err == nil && last.State == "complete" && strings.HasPrefix(last.Address, address) && strings.Contains(last.Text, text) {
			return
		}
		if time.Now().After(deadline) || errors.Is(err, context.DeadlineExceeded) {
			b.t.Fatalf("%s shows %q (%v)\nwant %s with %q", last.Address, last.Text, err, address, text)
		}
	}
}

// fill puts a text into a field as if it was pasted, in place of what was there.
func (b *tab) fill(field, text string) {
	b.t.Helper()
	b.do("fill "+field, chromedp.Clear(chromedp.CSS(field)), chromedp.Focus(chromedp.CSS(field)), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// click clicks in the middle of an element, as with a mouse.
func (b *tab) click(element string) {
	b.t.Helper()
	b.do("click "+element, chromedp.QueryAfter(chromedp.CSS(element), func(ctx context.Context, t *chromedp.Target, nodes []*chromedp.Node) (chromedp.Void, error) {
		if _, err := cdp.Call(ctx, t, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{NodeID: nodes[0].NodeID}); err != nil {
			return chromedp.Void{}, err
		}
		box, err := cdp.Call(ctx, t, dom.GetContentQuads, dom.GetContentQuadsParams{NodeID: nodes[0].NodeID})
		if err != nil {
			return chromedp.Void{}, err
		}
		corners := box.Quads[0] // x and y in turn, clockwise
		b.x, b.y = (corners[0]+corners[4])/2, (corners[1]+corners[5])/2
		return chromedp.MouseClickXY(b.x, b.y)(ctx, t)
	}, chromedp.NodeVisible))
}

// clickAgain clicks where the last click was.
func (b *tab) clickAgain() {
	b.t.Helper()
	b.do("click again", chromedp.MouseClickXY(b.x, b.y))
}

// The forms of the pages, by what they are sent to.
const (
	loginButton = `form[action^="/login"] button:not([type=button]):not([formaction])`
	allowButton = `form[action^="/consent"] button[value=allow]`
	denyButton  = `form[action^="/consent"] button[value=deny]`
)

// login fills the login page.
func (b *tab) login(username string) {
	b.t.Helper()
	b.wants("/login", "Sign in")
	b.fill("#username", username)
	b.fill("#password", password)
	b.click(loginButton)
}

// screen sets how wide the page is, and whether its reader likes it dark.
func (b *tab) screen(width int, scheme string) {
	b.t.Helper()
	b.do("set the width", chromedp.EmulateViewport(int64(width), 800))
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// agent sets the name by which the browser introduces itself.
func (b *tab) agent(name string) {
	b.t.Helper()
	command(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: name})
}

// cookie returns a cookie that the tab's profile has for the server, nil if there is none.
func (b *tab) cookie(name string) *network.Cookie {
	b.t.Helper()
	for _, cookie := range command(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.d.url}}).Cookies {
		if cookie.Name == name {
			return cookie
		}
	}
	return nil
}
