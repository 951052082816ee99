package server

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/templates"
)

// plainLogins are the login pages of who comes by himself. They are the same for everybody but for the form's token, so
// each is rendered once and kept in pieces, between which the token goes.
type plainLogins struct {
	pieces sync.Map // by plainLogin, of which there are few: languages times account pages
}

type plainLogin struct{ language, to string }

func (s *Server) answerPlainLogin(c *gin.Context, scene *loginScene, token string) error {
	which := plainLogin{s.language(c), scene.to}
	pieces, known := s.plainLogins.pieces.Load(which)
	if !known {
		var page bytes.Buffer
		// A token like any other, which nobody has seen: nothing else on the page can be taken for it.
		place := s.forms.make(rand.Text(), loginPath)
		err := s.pages.Render(&page, which.language, templates.LoginPage{
			Form: templates.Form{Action: scene.action(), Token: place}, RememberFor: s.sessions.Limits().Remember,
		})
		if err != nil {
			return err
		}
		pieces = bytes.Split(page.Bytes(), []byte(place))
		s.plainLogins.pieces.Store(which, pieces)
	}
	s.answerPage(c, http.StatusOK, bytes.Join(pieces.([][]byte), []byte(token)))
	return nil
}
