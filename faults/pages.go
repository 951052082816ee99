package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

var errNoForm = errors.New("the page has no form to send")

// fillIn fills the form of the login or consent page as the person would, and sends it.
func (p *party) fillIn(ctx context.Context, path string, page []byte) (reply, error) {
	form, action := readForm(page)
	if action == "" {
		return reply{}, errNoForm
	}
	if strings.Contains(path, "/login") {
		form.Set("username", p.person)
		form.Set("password", password)
	} else {
		form.Set("decision", "allow")
	}
	return p.send(ctx, http.MethodPost, action, form, nil)
}

// signIn signs the person in at the account pages, without any app.
func (p *party) signIn(ctx context.Context) (reply, error) {
	got, err := p.send(ctx, http.MethodGet, "/login", nil, nil)
	if err != nil || got.status != http.StatusOK {
		return got, err
	}
	return p.fillIn(ctx, "/login", got.body)
}

// readForm finds the main form of a page and what a browser would send of it. Boxes are ticked: whoever is asked allows.
func readForm(page []byte) (url.Values, string) {
	tree, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return nil, ""
	}
	for n := range tree.Descendants() {
		action := attribute(n, "action")
		if n.Data != "form" || !slices.ContainsFunc([]string{"/login", "/consent"}, func(start string) bool { return strings.HasPrefix(action, start) }) {
			continue
		}
		form := url.Values{}
		for field := range n.Descendants() {
			if field.Data == "input" && attribute(field, "name") != "" && attribute(field, "name") != "remember" {
				form.Add(attribute(field, "name"), attribute(field, "value"))
			}
		}
		return form, action
	}
	return nil, ""
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// seen reports whether a page is shown at all.
func (p *party) seen(ctx context.Context, path string) bool {
	got, err := p.send(ctx, http.MethodGet, path, nil, nil)
	return err == nil && got.status == http.StatusOK
}
