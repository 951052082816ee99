package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
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

// revocationJSON is one entry of the feed: a grant that was ended, a user of whom all grants until a moment were, or the
// epoch of a client in which all were.
type revocationJSON struct {
	Grant  string `json:"grant,omitempty"`
	User   string `json:"user,omitempty"`
	Before int64  `json:"before,omitempty"` // Unix milliseconds
	Epoch  string `json:"epoch,omitempty"`
	Until  int64  `json:"until"` // Unix seconds
}

// showRevocation encodes an entry.
func showRevocation(e grants.Revocation) []byte {
	out := revocationJSON{Until: e.Until.Unix()}
	switch {
	case e.Grant != uuid.Nil:
		out.Grant = e.Grant.String()
	case e.User != uuid.Nil:
		out.User, out.Before = e.User.String(), e.Before.UnixMilli()
	default:
		out.Epoch = e.Epoch.String()
	}
	text, err := json.Marshal(out)
	if err != nil {
		panic("server: encode a revocation: " + err.Error()) // it is texts and numbers
	}
	return text
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
	now := s.feed.snapshot(resource.Number)
	etag := `"` + now.cursor + `"`
	c.Header("ETag", etag)
	if c.GetHeader("If-None-Match") == etag {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return
	}
	respond(c, http.StatusOK, jsonMedia, now.body)
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
	var next view
	resumed := false
	if cursor != "" {
		next, resumed = s.feed.after(resource.Number, cursor)
	}
	if !resumed {
		var err error
		if next, err = s.sendSnapshot(stream, resource); err != nil {
			return
		}
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		// 2. What is new.
		for _, e := range next.entries {
			if stream.send("revocation", e.cursor(), e.json) != nil {
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
			// Silence must not be taken for good news while nobody knows, and who has lost his credential hears no more.
			if !s.feed.fresh() || !s.stillMay(c, resource) || stream.ping() != nil {
				return
			}
		}
		cursor = next.cursor
		var placed bool
		if next, placed = s.feed.after(resource.Number, cursor); placed {
			continue
		}
		var err error
		if next, err = s.sendSnapshot(stream, resource); err != nil {
			return
		}
	}
}

// sendSnapshot sends all that concerns a resource, and returns what has come since.
func (s *Server) sendSnapshot(stream eventWriter, resource *resources.Resource) (view, error) {
	for {
		all := s.feed.snapshot(resource.Number)
		if rest, placed := s.feed.after(resource.Number, all.cursor); placed {
			return rest, stream.send("snapshot", all.cursor, all.body)
		}
	}
}

// stillMay reports whether the credential by which a stream was opened is still that of the resource.
func (s *Server) stillMay(c *gin.Context, resource *resources.Resource) bool {
	now, err := s.callingResource(c)
	return err == nil && now.Number == resource.Number
}

// eventWriter writes server-sent events.
type eventWriter struct {
	w       gin.ResponseWriter
	control *http.ResponseController
}

func (e eventWriter) send(event, id string, data []byte) error {
	return e.write(fmt.Sprintf("event: %s\nid: %s\ndata: %s\n\n", event, id, data))
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
