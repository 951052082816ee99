package main

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/safeconduct/safeconduct/templates"
)

// pagesGoal is the most that all pages with everything they load may have, in bytes, uncompressed.
const pagesGoal = 60_000

// weight is how much all pages and what they load have in one language.
type weight struct {
	language      string
	pages, assets int // how many
	html          int // bytes of the pages
	largest       string
	largestSize   int
	css, js, rest int // bytes of what they load
	elsewhere     int // references by which a browser would ask another host by itself
}

func (w weight) total() int { return w.html + w.css + w.js + w.rest }

var (
	// loads finds what a browser fetches by itself; links and forms wait for a person.
	loads = regexp.MustCompile(`<(?:link|script|img|source|iframe|object|embed|video|audio|input|use)\b[^>]*?\s(?:href|src|srcset|data|poster)="([^"]+)"`)
	// styleLoads and scriptLoads find the same in style sheets and scripts.
	styleLoads  = regexp.MustCompile(`(?:url\(\s*|@import\s+)["']?([^"')\s]+)`)
	scriptLoads = regexp.MustCompile(`["'` + "`" + `]((?:https?:|wss?:)?//[^"'` + "`" + `]+)`)
	otherHost   = regexp.MustCompile(`^(?:[a-z][a-z0-9+.-]*:)?//`)
)

// weighPages renders each page once, as it looks in use, and fetches whatever it loads.
func weighPages(language string) (weight, error) {
	w := weight{language: language}
	set, err := templates.New(templates.Options{})
	if err != nil {
		return w, err
	}
	loaded := make(map[string]bool)
	follow := func(found *regexp.Regexp, text []byte) {
		for _, match := range found.FindAllSubmatch(text, -1) {
			if url := string(match[1]); otherHost.MatchString(url) {
				w.elsewhere++
			} else if !strings.HasPrefix(url, "data:") {
				loaded[url] = true
			}
		}
	}
	for _, page := range usualPages() {
		var out bytes.Buffer
		if err := set.Render(&out, language, page); err != nil {
			return w, err
		}
		follow(loads, out.Bytes())
		w.pages, w.html = w.pages+1, w.html+out.Len()
		if out.Len() > w.largestSize {
			w.largest, w.largestSize = strings.TrimPrefix(fmt.Sprintf("%T", page), "templates."), out.Len()
		}
	}
	for _, path := range slices.Sorted(maps.Keys(loaded)) {
		asset, found := set.Asset(strings.TrimPrefix(path, "/assets/"))
		if !found {
			return w, fmt.Errorf("a page loads %s, which is not there", path)
		}
		w.assets++
		switch {
		case strings.HasPrefix(asset.Type, "text/css"):
			w.css += len(asset.Body)
			follow(styleLoads, asset.Body)
		case strings.HasPrefix(asset.Type, "text/javascript"):
			w.js += len(asset.Body)
			follow(scriptLoads, asset.Body)
		default:
			w.rest += len(asset.Body)
		}
	}
	if len(loaded) != w.assets {
		return w, fmt.Errorf("style sheets and scripts load more: %v", slices.Sorted(maps.Keys(loaded)))
	}
	return w, nil
}

// usualPages is each page once, with what a person with two browsers, two apps and two tokens sees.
func usualPages() []templates.Page {
	var (
		began   = time.Date(2026, 11, 22, 15, 4, 0, 0, time.UTC)
		form    = templates.Form{Action: "/consent?tx=019aacc07a3RXSWJIDTMQVY2LFBPZ4CEVK7N", Token: strings.Repeat("t", 43)}
		app     = templates.App{Name: "Acme Invoices", Host: "invoices.example.com", Target: "https://invoices.example.com"}
		person  = templates.Person{Username: "grace", Name: "Grace Hopper"}
		account = templates.Account{Person: person, Token: form.Token}
		groups  = []templates.ConsentGroup{
			{Resource: "Your identity", Scopes: []templates.ConsentScope{
				{Name: "openid", Title: "Know who you are", Description: "A number that stands for you at this app and elsewhere.", Required: true, Ticked: true},
				{Name: "profile", Title: "See your name", Description: "Your name and username.", Ticked: true},
			}},
			{Resource: "Orders", Scopes: []templates.ConsentScope{
				{Name: "orders:read", Title: "See your orders", Description: "Every order with its price and address.", Ticked: true},
				{Name: "orders:write", Title: "Order for you", Description: "Place, change and cancel orders.", Sensitive: true},
			}},
		}
		session = templates.SessionRow{ID: "019aacc0-7a3b-7c3e-8f51-3f3f6f0b7c11", Device: "Firefox on Linux", Network: "192.0.2.7", This: true,
			Started: began, LastSeen: began.Add(time.Hour), Ends: began.Add(24 * time.Hour), Apps: []string{app.Name}}
		other  = templates.SessionRow{ID: "019aacc0-7a3b-7c3e-8f51-3f3f6f0b7c12", Name: "Phone", Device: "Chrome on Android", Network: "192.0.2.8", Started: began, LastSeen: began, Ends: began.Add(24 * time.Hour)}
		access = templates.AppRow{ClientID: "acme-invoices", App: app, Groups: groups, Since: began, LastUsed: began.Add(time.Hour), Remembered: true}
		key    = templates.KeyRow{ID: "019aacc0-7a3b-7c3e-8f51-3f3f6f0b7c13", Name: "backup script", Scopes: []string{"orders:read"}, Created: began, Expires: began.Add(90 * 24 * time.Hour)}
	)
	return []templates.Page{
		templates.LoginPage{Form: form, App: &app, RememberFor: 30 * 24 * time.Hour, Cancel: "/oauth/cancel?tx=019aacc07a3RXSWJIDTMQVY2LFBPZ4CEVK7N"},
		templates.SelectPage{Form: form, App: app, Person: person},
		templates.ConsentPage{Form: form, App: app, Person: person, Switch: form.Action, Groups: groups, MayRemember: true},
		templates.FormPostPage{App: app, Action: app.Target + "/callback", Fields: []templates.Field{{Name: "code", Value: form.Token}, {Name: "state", Value: form.Token}, {Name: "iss", Value: "https://id.example.com"}}},
		templates.ProblemPage{Kind: templates.ProblemApp, Detail: "redirect_uri is missing", RequestID: "RXSWJIDTMQVY2LFBPZ4CEVK7N", Time: began},
		templates.LogoutPage{Form: form, App: &app, Person: person},
		templates.SignedOutPage{},
		templates.AccountPage{Account: account, Email: "grace@example.com", Created: began, PasswordChanged: began, Sessions: 2, Apps: 2, Keys: 2},
		templates.PasswordPage{Account: account, MinLength: 12},
		templates.SessionsPage{Account: account, Sessions: []templates.SessionRow{session, other}},
		templates.AppsPage{Account: account, Apps: []templates.AppRow{access, access}},
		templates.KeysPage{Account: account, Keys: []templates.KeyRow{key, key}, Groups: groups, Days: 30, Choices: []int{7, 30, 90, 365}, Once: form.Token},
	}
}
