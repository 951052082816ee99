// Package api is the command line's way to the server's own API: over the network with a token, over the unix socket of
// a running server, or into a handler in the same process. The three differ in their http.RoundTripper alone, so a
// command does the same thing by each of them.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	apiPath = "/api/v1"
	// answerMax bounds an answer; a page of a list is far smaller.
	answerMax = 4 << 20
	// patience is how long one call may take.
	patience = 30 * time.Second
)

// Client calls the API of one server.
type Client struct {
	http  *http.Client
	base  string
	token string
}

func newClient(transport http.RoundTripper, base, token string) *Client {
	return &Client{base: base, token: token, http: &http.Client{
		Transport: transport, Timeout: patience,
		// The API never redirects; following one could carry the token to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Error is a refusal by the server.
type Error struct {
	Status      int
	Code        string
	Description string
	Field       string
	RequestID   string
}

func (e *Error) Error() string {
	if e.Description != "" {
		return e.Description
	}
	return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
}

// UnreachableError says that no answer came.
type UnreachableError struct {
	Server string
	Cause  error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s does not answer: %v", e.Server, e.Cause)
}

func (e *UnreachableError) Unwrap() error { return e.Cause }

// Call sends in as JSON, unless it is nil, to a path below the API's and returns the answer's JSON, which is empty when
// there is nothing to show. What the server refuses is an *Error; no answer is an *UnreachableError.
func (c *Client) Call(ctx context.Context, method, path string, in any) (json.RawMessage, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+apiPath+path, body)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return exchange(c.http, request, c.base)
}

// Download asks for what is too large for a Call and writes it as it comes. However long that takes, it is not cut off.
func (c *Client) Download(ctx context.Context, path string, to io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+apiPath+path, nil)
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	patient := *c.http
	patient.Timeout = 0
	response, err := patient.Do(request)
	if err != nil {
		return unreachable(ctx, c.base, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, answerMax))
		return refusal(response, text)
	}
	if _, err := io.Copy(to, response.Body); err != nil {
		return unreachable(ctx, c.base, err)
	}
	return nil
}

// exchange sends a request and reads a JSON answer.
func exchange(client *http.Client, request *http.Request, server string) (json.RawMessage, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, unreachable(request.Context(), server, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerMax+1))
	switch {
	case err != nil:
		return nil, unreachable(request.Context(), server, err)
	case len(text) > answerMax:
		return nil, fmt.Errorf("the answer of %s is larger than 4 MB", server)
	case response.StatusCode < 200 || response.StatusCode > 299:
		return nil, refusal(response, text)
	case len(text) > 0 && !json.Valid(text):
		return nil, fmt.Errorf("%s did not answer with JSON: it is not a Safeconduct server", server)
	}
	return text, nil
}

// unreachable keeps the end of the caller's own context apart from the network's trouble.
func unreachable(ctx context.Context, server string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var wrapped *url.Error // which would name the server a second time
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return &UnreachableError{Server: server, Cause: err}
}

func refusal(response *http.Response, text []byte) error {
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Field       string `json:"field"`
		RequestID   string `json:"request_id"`
	}
	_ = json.Unmarshal(text, &body) // what is not ours has its status at least
	return &Error{Status: response.StatusCode, Code: body.Error, Description: body.Description, Field: body.Field, RequestID: body.RequestID}
}

// List reads all pages of a list and returns them as one, of the form {"items": [...]}.
func (c *Client) List(ctx context.Context, path string) (json.RawMessage, error) {
	all := struct {
		Items []json.RawMessage `json:"items"`
	}{Items: []json.RawMessage{}}
	next := ""
	for {
		raw, err := c.Call(ctx, http.MethodGet, path+pageQuery(next), nil)
		if err != nil {
			return nil, err
		}
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, fmt.Errorf("read the list: %w", err)
		}
		all.Items = append(all.Items, page.Items...)
		if page.Next == "" || page.Next == next {
			return json.Marshal(all)
		}
		next = page.Next
	}
}

func pageQuery(after string) string {
	query := url.Values{"limit": {"200"}}
	if after != "" {
		query.Set("after", after)
	}
	return "?" + query.Encode()
}
