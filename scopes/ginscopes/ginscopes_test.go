package ginscopes_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/scopes"
	"github.com/safeconduct/safeconduct/scopes/ginscopes"
)

var checker = scopes.CheckerFunc(func(_ context.Context, token string) (*scopes.Token, error) {
	switch token {
	case "reader":
		s, err := scopes.ParseSet("orders:read")
		return &scopes.Token{Subject: "alice", Scopes: s}, err
	case "down":
		return nil, errors.New("disk on fire")
	}
	return nil, scopes.ErrInactive
})

// guard has an option that shows in the answers, so that the comparison sees whether it gets through.
var guard = scopes.Guard{Checker: checker, Realm: "orders", Refused: func(*http.Request, *scopes.Refusal) {}}

func newRouter(t testing.TB) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	t.Cleanup(func() { gin.SetMode(gin.DebugMode) })
	return gin.New()
}

// overGin and overHTTP are the same API, built on each.
func overGin(t testing.TB, required ...string) http.Handler {
	router := newRouter(t)
	router.POST("/", ginscopes.Guard(guard, required...), func(c *gin.Context) {
		token, ok := ginscopes.TokenFrom(c)
		if fromContext, _ := scopes.TokenFrom(c.Request.Context()); !ok || fromContext != token {
			c.Status(http.StatusInternalServerError)
			return
		}
		c.Header("Content-Type", "text/plain")
		io.WriteString(c.Writer, token.Subject)
	})
	return router
}

func overHTTP(required ...string) http.Handler {
	return guard.Require(required...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := scopes.TokenFrom(r.Context())
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, token.Subject)
	}))
}

// A client must not be able to tell which of the two guards an API uses: the same requests to real servers of both give
// the same bytes, refused and granted.
func TestBothGuardsAnswerWithTheSameBytes(t *testing.T) {
	for _, tt := range []struct {
		name     string
		query    string
		headers  []string
		required []string
		status   int
	}{
		{"granted", "", []string{"Bearer reader"}, []string{"orders:read"}, 200},
		{"granted to bearer in lower case", "", []string{"bearer reader"}, []string{"orders:read"}, 200},
		{"granted to any token", "", []string{"Bearer reader"}, nil, 200},
		{"no token", "", nil, []string{"orders:read"}, 401},
		{"a token in query and form only", "?access_token=reader", nil, []string{"orders:read"}, 401},
		{"another scheme", "", []string{"Basic YTpi"}, []string{"orders:read"}, 401},
		{"an unknown token", "", []string{"Bearer garbage"}, []string{"orders:read"}, 401},
		{"a malformed token", "", []string{"Bearer a b"}, []string{"orders:read"}, 401},
		{"a token that is too long", "", []string{"Bearer " + strings.Repeat("a", scopes.MaxTokenBytes+1)}, nil, 401},
		{"two Authorization headers", "", []string{"Bearer reader", "Bearer reader"}, []string{"orders:read"}, 400},
		{"a missing scope", "", []string{"Bearer reader"}, []string{"orders:read", "orders:write"}, 403},
		{"a checker that fails", "", []string{"Bearer down"}, []string{"orders:read"}, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, ginBytes := send(t, overGin(t, tt.required...), tt.query, tt.headers)
			_, httpBytes := send(t, overHTTP(tt.required...), tt.query, tt.headers)
			if status != tt.status {
				t.Errorf("got %d, want %d", status, tt.status)
			}
			if ginBytes != httpBytes {
				t.Errorf("gin answers\n%s\nnet/http answers\n%s", ginBytes, httpBytes)
			}
		})
	}
}

// send posts a form that holds a good token and returns the whole answer without its date.
func send(t *testing.T, handler http.Handler, query string, headers []string) (int, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	r, err := http.NewRequest(http.MethodPost, server.URL+"/"+query, strings.NewReader("access_token=reader"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if headers != nil {
		r.Header["Authorization"] = headers
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	response.Header.Del("Date")
	all, err := httputil.DumpResponse(response, true)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(all)
}

// A refused request must reach nothing behind the guard, and the short form must refuse as well.
func TestRequireAbortsTheChain(t *testing.T) {
	router := newRouter(t)
	reached := false
	router.GET("/", ginscopes.Require(checker, "orders:write"), func(c *gin.Context) { reached = true })
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer reader")
	router.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || reached {
		t.Errorf("got %d, handler reached: %v", w.Code, reached)
	}
	if got := w.Header().Get("WWW-Authenticate"); !strings.Contains(got, `scope="orders:write"`) {
		t.Errorf("challenge %s does not name the scope", got)
	}
}

// A route that nobody can enter is a mistake that must show when the program starts.
func TestRequirePanicsAtConstruction(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	ginscopes.Require(checker, "two scopes")
}
