// Command gin is an API on Gin whose routes need scopes.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/scopes"
	"github.com/safeconduct/safeconduct/scopes/ginscopes"
)

func main() {
	tokens, err := scopes.NewIntrospector(scopes.IntrospectorConfig{
		URL: os.Getenv("ISSUER") + "/oauth/introspect",
		ID:  "books", Secret: os.Getenv("BOOKS_SECRET"),
		Audience: "https://books.example",
	})
	if err != nil {
		log.Fatal(err)
	}
	router := gin.Default()
	router.GET("/books", ginscopes.Require(tokens, "books:read"), list)
	router.POST("/books", ginscopes.Require(tokens, "books:write"), add)
	log.Fatal(router.Run("localhost:" + os.Getenv("PORT")))
}

func list(c *gin.Context) {
	token, _ := ginscopes.TokenFrom(c)
	c.String(http.StatusOK, "books of %s\n", token.Subject)
}

func add(c *gin.Context) { c.Status(http.StatusCreated) }
