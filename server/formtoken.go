package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
)

// onceLife is how long a form that may be sent once is remembered after it was sent; longer than anybody holds a key.
const onceLife = 15 * time.Minute

// formTokens make and check the tokens in our forms. A token is a MAC over a secret that only the browser holds (a
// cookie's value) and what the form is for, so a form that another site made, or that was made for another browser,
// another session or another act, does not carry the right one.
type formTokens struct {
	current keys.ID
	keys    map[keys.ID][]byte
}

func newFormTokens(ring *keys.Ring) formTokens {
	return formTokens{ring.Current(), ring.Subkeys("form-token")}
}

func (t formTokens) mac(key []byte, binding, purpose string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(purpose))
	m.Write([]byte{0})
	m.Write([]byte(binding))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func (t formTokens) make(binding, purpose string) string {
	return t.mac(t.keys[t.current], binding, purpose)
}

// good reports whether token was made for this browser and purpose. Without a binding nothing is good.
func (t formTokens) good(token, binding, purpose string) bool {
	if binding == "" {
		return false
	}
	for _, key := range t.keys {
		if hmac.Equal([]byte(token), []byte(t.mac(key, binding, purpose))) {
			return true
		}
	}
	return false
}

// makeOnce makes a token for a form that must not be sent twice.
func (t formTokens) makeOnce(binding, purpose string) string {
	serial := rand.Text()
	return serial + "." + t.make(binding, purpose+"/"+serial)
}

var (
	errFormStale = errors.New("the form's token is not good")
	errFormSpent = errors.New("the form was sent before")
)

// spendOnce spends a token of makeOnce. It returns errFormStale if that is not good, and errFormSpent if it was spent
// before.
func (s *Server) spendOnce(c *gin.Context, token, binding, purpose string) error {
	serial, _, _ := strings.Cut(token, ".")
	if !s.forms.good(strings.TrimPrefix(token, serial+"."), binding, purpose+"/"+serial) {
		return errFormStale
	}
	spent := sha256.Sum256([]byte(token))
	err := s.store.Add(c.Request.Context(), "form/"+string(spent[:16]), []byte{1}, s.store.Now().Add(onceLife))
	if errors.Is(err, store.ErrExists) {
		return errFormSpent
	}
	return err
}

// visit is the secret that binds the forms of a browser without a session to it. It is made where there is none.
func (s *Server) visit(c *gin.Context) string {
	if value := s.cookie(c.Request, visitCookie); len(value) == len(rand.Text()) {
		return value
	}
	value := rand.Text()
	s.setCookie(c.Writer, visitCookie, value, 0)
	return value
}

// staleForm refuses a form whose token is not good where the form cannot be shown again.
func staleForm() *failure {
	return &failure{status: http.StatusForbidden, code: codeAccessDenied, problem: templates.ProblemForged,
		description: "the form's token is missing, or was made for another browser or session"}
}
