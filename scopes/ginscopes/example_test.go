package ginscopes_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/scopes/ginscopes"
)

func ExampleRequire() {
	gin.SetMode(gin.ReleaseMode)
	defer gin.SetMode(gin.DebugMode)

	router := gin.New()
	router.GET("/orders", ginscopes.Require(checker, "orders:read"), func(c *gin.Context) {
		token, _ := ginscopes.TokenFrom(c)
		c.String(http.StatusOK, "orders of %s", token.Subject)
	})

	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer reader")
	w := httptest.NewRecorder()
	router.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output: 200 orders of alice
}
