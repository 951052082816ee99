package scopes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"
)

const (
	maxFeedBytes   = 64 << 20 // of a snapshot: some 700,000 entries
	maxCursorBytes = 1 << 10
)

var (
	// errNoStream says that the feed is not to be had as a stream, but perhaps otherwise.
	errNoStream = errors.New("the revocation feed is no stream")
	errSilent   = errors.New("the stream is silent")
)

// feedSource is where the feed comes from.
type feedSource struct {
	url          string
	client       *http.Client
	authenticate func(*http.Request)
	timeout      time.Duration // of a poll, and for the snapshot of a new stream to begin
	silence      time.Duration // how long a stream may be silent before it counts as dead
}

// snapshot is all that the feed holds.
type snapshot struct {
	Cursor  string       `json:"cursor"`
	Entries []revocation `json:"entries"`
}

func readSnapshot(text []byte) (*snapshot, error) {
	var s struct {
		Cursor  *string       `json:"cursor"`
		Entries *[]revocation `json:"entries"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("read the revocations: %w", err)
	}
	if s.Cursor == nil || s.Entries == nil {
		return nil, errors.New("read the revocations: cursor or entries are missing")
	}
	return &snapshot{Cursor: *s.Cursor, Entries: *s.Entries}, nil
}

// ask sends a request for the feed and returns an answer of status 200 or 304.
func (s *feedSource) ask(ctx context.Context, headers map[string]string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	s.authenticate(request)
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	switch response.StatusCode {
	case http.StatusOK, http.StatusNotModified:
		return response, nil
	}
	response.Body.Close()
	err = refusedBy(response.StatusCode)
	switch response.StatusCode {
	case http.StatusNotAcceptable, http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		err = fmt.Errorf("%w: %w", errNoStream, err)
	}
	return nil, err
}

// snapshot asks for all entries, unless they are still those of the given ETag: then it returns nil.
func (s *feedSource) snapshot(ctx context.Context, tag string) (_ *snapshot, newTag string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	headers := map[string]string{"Accept": "application/json"}
	if tag != "" {
		headers["If-None-Match"] = tag
	}
	response, err := s.ask(ctx, headers)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotModified {
		if tag == "" {
			return nil, "", errors.New("304 to a question without condition")
		}
		return nil, tag, nil
	}
	body, err := readAtMost(response.Body, maxFeedBytes)
	if err != nil {
		return nil, "", err
	}
	all, err := readSnapshot(body)
	return all, response.Header.Get("ETag"), err
}

// stream reads the stream until it ends. It reports whether anything was heard.
//
// Entries that were missed come first after a reconnection, and nothing tells the last of them. So the entries count as
// complete again only with the first comment, which the server sends when it has nothing else to say, or a snapshot.
func (f *feed) stream(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cursor := f.position()
	limit := f.source.silence
	headers := map[string]string{"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store"}
	if cursor != "" {
		headers["Last-Event-ID"] = cursor
	} else {
		limit = f.source.timeout // a snapshot comes at once
	}
	watchdog := time.AfterFunc(limit, func() { cancel(errSilent) })
	defer watchdog.Stop()

	response, err := f.source.ask(ctx, headers)
	if err != nil {
		return false, because(ctx, err, heard)
	}
	defer response.Body.Close()
	if media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || media != "text/event-stream" {
		return false, fmt.Errorf("%w: it has another content type", errNoStream)
	}
	complete := false
	for e, err := range readEvents(response.Body) {
		if err != nil {
			return heard, because(ctx, err, heard)
		}
		watchdog.Reset(f.source.silence)
		heard = true
		if err := f.apply(e); err != nil {
			return heard, err
		}
		if complete = complete || e.comment || e.name == "snapshot"; complete {
			f.hear(f.clock())
		}
	}
	return heard, errors.New("the stream has ended")
}

// because returns why ctx was ended, if it was, rather than what followed from it.
func because(ctx context.Context, err error, heard bool) error {
	switch cause := context.Cause(ctx); {
	case cause == errSilent && !heard:
		return fmt.Errorf("%w: %w", errNoStream, cause) // perhaps something between us and the server holds it back
	case cause != nil:
		return cause
	}
	return err
}

// apply takes over what an event says. Events of other names, which a later server may send, say nothing here.
func (f *feed) apply(e event) error {
	switch e.name {
	case "snapshot":
		all, err := readSnapshot(e.data)
		if err != nil {
			return err
		}
		f.take(all.Cursor, all.Entries...)
	case "revocation":
		var one revocation
		if err := json.Unmarshal(e.data, &one); err != nil {
			return fmt.Errorf("read a revocation: %w", err)
		}
		f.take(e.id, one)
	}
	return nil
}
