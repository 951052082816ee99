package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

func get(t *testing.T, handler http.HandlerFunc) (json.RawMessage, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return api.Remote(server.URL, "token").Call(context.Background(), http.MethodGet, "/me", nil)
}

// A redirect must not carry an administrator's token to another server.
func TestTokenIsNotCarriedElsewhere(t *testing.T) {
	reached := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(elsewhere.Close)
	_, err := get(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	var refused *api.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusTemporaryRedirect || reached {
		t.Errorf("got %v, and elsewhere was reached: %v", err, reached)
	}
}

func TestForeignAnswersAreRefused(t *testing.T) {
	if _, err := get(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }); err == nil || !strings.Contains(err.Error(), "not a Safeconduct server") {
		t.Errorf("a page: got %v", err)
	}
	if _, err := get(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `"`+strings.Repeat("x", 5<<20)+`"`) }); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a flood: got %v", err)
	}
	var refused *api.Error
	if _, err := get(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) }); !errors.As(err, &refused) || refused.Error() != "the server answered 502 Bad Gateway" {
		t.Errorf("a proxy: got %v", err)
	}
}

func TestEndOfTheCallerIsNotTheNetworksFault(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	if _, err := api.Remote(server.URL, "").Call(ctx, http.MethodGet, "/me", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var unreachable *api.UnreachableError
	server.Close()
	if _, err := api.Remote(server.URL, "").Call(context.Background(), http.MethodGet, "/me", nil); !errors.As(err, &unreachable) {
		t.Errorf("got %v", err)
	}
}

// A list is as long as it is, however the server cuts it.
func TestListReadsAllPages(t *testing.T) {
	const total = 450
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after, limit := 0, 0
		fmt.Sscan(r.URL.Query().Get("after"), &after)
		fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		page := map[string]any{}
		var items []int
		for i := after + 1; i <= min(after+limit, total); i++ {
			items = append(items, i)
		}
		page["items"] = items
		if after+limit < total {
			page["next"] = fmt.Sprint(after + limit)
		}
		_ = json.NewEncoder(w).Encode(page)
	})
	raw, err := api.InProcess(handler).List(context.Background(), "/clients")
	var all api.Page[int]
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil || len(all.Items) != total || all.Items[total-1] != total {
		t.Errorf("got %d items, %v", len(all.Items), err)
	}
}

// Tokens and secrets go to the server: not in the clear, but on this machine.
func TestCheckServer(t *testing.T) {
	for server, want := range map[string]string{
		"https://id.example.com":      "https://id.example.com",
		"https://id.example.com/":     "https://id.example.com",
		"https://id.example.com:8443": "https://id.example.com:8443",
		"http://localhost:8080":       "http://localhost:8080",
		"http://127.0.0.1:8080":       "http://127.0.0.1:8080",
		"http://[::1]:8080":           "http://[::1]:8080",
		"http://id.example.com":       "",
		"http://10.0.0.1":             "",
		"http://localhost.evil.com":   "",
		"http://127.0.0.1.evil.com":   "",
		"ftp://localhost":             "",
		"id.example.com":              "",
		"localhost:8080":              "",
		"https://":                    "",
		"https://user@id.example.com": "",
		"https://id.example.com/path": "",
		"https://id.example.com?x=y":  "",
		"unix:///run/x":               "",
		"":                            "",
	} {
		got, err := api.CheckServer(server)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", server, got, err)
		}
	}
}
