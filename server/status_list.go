package server

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
)

const (
	statusPath = "/oauth/status"
	// statusListType is the type of a signed status list (Token Status List, draft-ietf-oauth-status-list §5.1).
	statusListType = "statuslist+jwt"
	// statusListFresh is how long a list may be kept before it is fetched again.
	statusListFresh = 5 * time.Second
	// statusListLife is when a list is worth nothing any more: who cannot fetch it must not go on believing tokens.
	statusListLife = time.Minute
	// statusListAgain is how long a signature is given again, and statusListsKept how many are kept for that, of 8 KB each.
	statusListAgain = time.Second
	statusListsKept = 256
)

// tokenStatus points from a signed token to its bit in a status list (§6.2).
type tokenStatus struct {
	List statusReference `json:"status_list"`
}

type statusReference struct {
	Index uint32 `json:"idx"`
	URI   string `json:"uri"`
}

// signedStatusList is a status list as it is signed (§5.1).
type signedStatusList struct {
	Issuer  string     `json:"iss"`
	Subject string     `json:"sub"` // its own URI
	Issued  int64      `json:"iat"`
	Expires int64      `json:"exp"`
	TTL     int64      `json:"ttl"` // seconds
	List    statusBits `json:"status_list"`
}

type statusBits struct {
	Bits int    `json:"bits"` // for each token
	List string `json:"lst"`  // compressed, in base64url
}

// statusListURI names a list as it is signed by an algorithm: who verifies tokens by one need not know others.
func (s *Server) statusListURI(list, alg string) string {
	return s.issuer + statusPath + "/" + alg + "/" + list
}

func (s *Server) statusOf(t *grants.Token, alg string) tokenStatus {
	return tokenStatus{statusReference{t.StatusIndex, s.statusListURI(t.Status, alg)}}
}

// statusList answers with a status list (§8.1). Nothing in it is secret: who knows its name has a token that refers to it.
func (s *Server) statusList(c *gin.Context) {
	name, alg := c.Param("list"), c.Param("alg")
	list, known := s.grants.ParseStatusList(name)
	if !known || !slices.Contains(keys.Algorithms(), alg) {
		s.fail(c, notFound("this status list"))
		return
	}
	if len(c.Request.URL.RawQuery) > 0 {
		// §8.4: the list of another time is not kept.
		s.fail(c, &failure{status: http.StatusNotImplemented, code: codeInvalidRequest, description: "a status list tells of the present only and takes no parameters"})
		return
	}
	signed, err := s.signStatusList(c.Request.Context(), list, name, alg)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.public(c)
	c.Header("Cache-Control", "public, max-age="+seconds(statusListFresh))
	c.Data(http.StatusOK, "application/"+statusListType, []byte(signed))
}

// signStatusList signs a list as it is now. The signature of a moment ago is given again while nothing has changed: who
// asks need not say who he is, and must not be able to keep a processor busy with signing.
func (s *Server) signStatusList(ctx context.Context, list grants.StatusList, name, alg string) (string, error) {
	if err := s.feed.catchUp(ctx); err != nil {
		return "", err
	}
	bits, err := s.grants.StatusBits(ctx, list, s.feed.told())
	if err != nil {
		return "", err
	}
	s.statusLists.mu.Lock()
	defer s.statusLists.mu.Unlock()
	now, uri := s.store.Now(), s.statusListURI(name, alg)
	if last := s.statusLists.signed[uri]; last.at.Add(statusListAgain).After(now) && bytes.Equal(last.bits, bits) {
		return last.text, nil
	}
	text, err := s.signing.Sign(ctx, alg, statusListType, signedStatusList{
		Issuer: s.issuer, Subject: uri, Issued: now.Unix(), Expires: now.Add(statusListLife).Unix(),
		TTL: int64(statusListFresh / time.Second), List: statusBits{Bits: 1, List: s.statusLists.packer.pack(bits)},
	})
	if err != nil {
		return "", err
	}
	s.statusLists.keep(uri, signedBits{text, bits, now})
	return text, nil
}

// statusLists are the lists that were signed last.
type statusLists struct {
	packer compressor

	mu     sync.Mutex // held while one is signed: one processor at most does that
	signed map[string]signedBits
}

type signedBits struct {
	text string
	bits []byte
	at   time.Time
}

func (l *statusLists) keep(uri string, signed signedBits) {
	if l.signed == nil || len(l.signed) == statusListsKept {
		l.signed = make(map[string]signedBits)
	}
	l.signed[uri] = signed
}

// compressor packs lists as they stand in their tokens (§4.2): DEFLATE in the ZLIB format, in base64url. Its writers are
// used again, and take the fastest level: bits that are nearly all zero come out as small with it as with the best, which
// takes ten times as long.
type compressor struct{ writers sync.Pool }

func (c *compressor) pack(bits []byte) string {
	var out bytes.Buffer
	w, kept := c.writers.Get().(*zlib.Writer)
	var err error
	if kept {
		w.Reset(&out)
	} else {
		w, err = zlib.NewWriterLevel(&out, zlib.BestSpeed)
	}
	if err == nil {
		_, err = w.Write(bits)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("server: compress a status list: " + err.Error()) // the level exists, and a buffer takes everything
	}
	c.writers.Put(w)
	return base64.RawURLEncoding.EncodeToString(out.Bytes())
}
