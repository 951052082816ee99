// Package ginscopes is the guard of package scopes for routes of Gin. It answers with the same bytes.
//
//	router.GET("/orders", ginscopes.Require(checker, "orders:read"), listOrders)
package ginscopes

import (
	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/scopes"
)

// Require returns a handler that lets a request go on only with a valid access token that covers every required scope,
// and otherwise answers and aborts. It panics at construction where scopes.Require does.
func Require(c scopes.Checker, required ...string) gin.HandlerFunc {
	return Guard(scopes.Guard{Checker: c}, required...)
}

// Guard is Require with the options of a scopes.Guard.
func Guard(g scopes.Guard, required ...string) gin.HandlerFunc {
	rule := g.Rule(required...)
	return func(c *gin.Context) {
		admitted, refusal := rule.Admit(c.Request)
		if refusal != nil {
			c.Abort()
			refusal.Write(c.Writer)
			return
		}
		c.Request = admitted
	}
}

// TokenFrom returns the facts of the token that came with the request, or false when no guard let it in.
// scopes.TokenFrom finds the same in the context of the request.
func TokenFrom(c *gin.Context) (*scopes.Token, bool) {
	return scopes.TokenFrom(c.Request.Context())
}
