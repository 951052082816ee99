package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/resources"
)

const (
	revocationsPath = "/oauth/revocations"
	eventStream     = "text/event-stream"
	// pingEvery is how often a stream shows that it is alive. A resource that hears nothing for longer than a few of
	// these stops to believe tokens that it cannot ask about.
	pingEvery = 5 * time.Second
	// streamWrite bounds one write: who does not read is cut off.
	streamWrite = 5 * time.Second
)

// revocationJSON is one entry of the feed: a grant that was ended, or a user or client of whom all grants until a moment
// were.
type revocationJSON struct {
	Grant  string `json:"grant,omitempty"`
	User   string `json:"user,omitempty"`
	Client string `json:"client,omitempty"`
	Before int64  `json:"before,omitempty"` // Unix milliseconds
	Until  int64  `json:"until"`            // Unix seconds
}

type revocationsJSON struct {
	Cursor  string           `json:"cursor"`
	Entries []revocationJSON `json:"entries"`
}

func showRevocation(e feedEntry) revocationJSON {
	out := revocationJSON{Client: e.Client, Until: e.Until.Unix()}
	if e.Grant != uuid.Nil {
		out.Grant = e.Grant.String()
	}
	if e.User != uuid.Nil {
		out.User = e.User.String()
	}
	if !e.Before.IsZero() {
		out.Before = e.Before.UnixMilli()
	}
	return out
}

func (v view) json() revocationsJSON {
	out := revocationsJSON{Cursor: v.cursor, Entries: make([]revocationJSON, 0, len(v.entries))}
	for _, e := range v.entries {
		out.Entries = append(out.Entries, showRevocation(e))
	}
	return out
}

// revocations tells a resource what was revoked of the signed tokens that are meant for it, once or as a stream of
// events (HTML Standard §9.2). It speaks of no other resource's tokens.
func (s *Server) revocations(c *gin.Context) {
	resource, err := s.callingResource(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	if err := s.feed.catchUp(c.Request.Context()); err != nil {
		s.fail(c, err)
		return
	}
	if wantsMediaType(c.Request, eventStream) {
		s.streamRevocations(c, resource)
		return
	}
	found := s.feed.all(resource.Number)
	etag := `"` + found.cursor + `"`
	c.Header("ETag", etag)
	if c.GetHeader("If-None-Match") == etag {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return
	}
	writeJSON(c, http.StatusOK, found.json())
}

// callingResource authenticates the resource whose request has no form: by HTTP Basic alone.
func (s *Server) callingResource(c *gin.Context) (*resources.Resource, error) {
	presented, err := readCredentials(c.Request, form{})
	if err != nil {
		return nil, err
	}
	resource, err := s.resources.Authenticate(c.Request.Context(), presented.id, presented.secret)
	if err != nil {
		s.auditResource(c.Request.Context(), presented.id, s.clientAddr(c.Request), err)
		return nil, err
	}
	noteOf(c.Request.Context()).clientID = resource.Slug
	return resource, nil
}

// streamRevocations sends what there is, and then everything new as it comes, until one of the two goes away.
func (s *Server) streamRevocations(c *gin.Context, resource *resources.Resource) {
	ctx := c.Request.Context()
	control := http.NewResponseController(c.Writer)
	// The limits on reading and writing are those of one answer; this one has no end.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		s.fail(c, fmt.Errorf("stream the revocations: %w", err))
		return
	}
	cursor := c.GetHeader("Last-Event-ID")
	if cursor == "" {
		cursor = query(c).get("cursor")
	}
	h := c.Writer.Header()
	h.Set("Content-Type", eventStream)
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	c.Status(http.StatusOK)
	stream := eventWriter{c.Writer, control}
	// 1. Where the reader left off, or all of it.
	next, placed := s.feed.after(resource.Number, cursor)
	if !placed {
		next = s.feed.all(resource.Number)
		if stream.send("snapshot", next.cursor, next.json()) != nil {
			return
		}
		next.entries = nil
	}
	resumed := placed
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	cursor = next.cursor
	for {
		// 2. What is new.
		for _, e := range next.entries {
			if stream.send("revocation", e.cursor(), showRevocation(e)) != nil {
				return
			}
		}
		if resumed {
			// The first sign of life says that what was missed is all there.
			resumed = false
			if stream.ping() != nil {
				return
			}
		}
		// 3. Wait for more.
		select {
		case <-ctx.Done():
			return
		case <-s.stopping:
			return
		case <-next.changed:
		case <-ping.C:
			// Silence must not be taken for good news while nobody knows.
			if !s.feed.fresh() || stream.ping() != nil {
				return
			}
		}
		if next, placed = s.feed.after(resource.Number, cursor); !placed {
			next = s.feed.all(resource.Number)
			if cursor == "" && len(next.entries) == 0 {
				continue
			}
			if stream.send("snapshot", next.cursor, next.json()) != nil {
				return
			}
			next.entries = nil
		}
		cursor = next.cursor
	}
}

// eventWriter writes server-sent events.
type eventWriter struct {
	w       gin.ResponseWriter
	control *http.ResponseController
}

func (e eventWriter) send(event, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return e.write(fmt.Sprintf("event: %s\nid: %s\ndata: %s\n\n", event, id, text))
}

func (e eventWriter) ping() error { return e.write(": ping\n\n") }

func (e eventWriter) write(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := e.w.WriteString(text); err != nil {
		return err
	}
	return e.control.Flush()
}

// clientEnded tells of the end of everything granted to a client. Its machines' grants are in no index, so there is one
// entry for all of them.
func (s *Server) clientEnded(ctx context.Context, clientID string, allows holder) error {
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return err
	}
	var numbers []uint32
	longest := s.lifetimes.SignedAccess
	for _, r := range catalogue.All() {
		if r.Format != resources.FormatJWT {
			continue
		}
		for _, scope := range r.Scopes {
			if allows.AllowsScope(scope.Name) {
				numbers = append(numbers, r.Number)
				longest = max(longest, r.AccessLifetime)
				break
			}
		}
	}
	if len(numbers) == 0 {
		return nil // it had no signed tokens
	}
	return s.grants.EndedBefore(ctx, clientID, numbers, longest)
}
