// Command nethttp is an API on net/http whose routes need scopes.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/safeconduct/safeconduct/scopes"
)

func main() {
	tokens, err := scopes.NewChecker(scopes.Config{
		Issuer:   os.Getenv("ISSUER"),
		Audience: "https://books.example",
		ID:       "books", Secret: os.Getenv("BOOKS_SECRET"),
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /books", scopes.Require(tokens, "books:read")(http.HandlerFunc(list)))
	http.Handle("POST /books", scopes.Require(tokens, "books:write")(http.HandlerFunc(add)))
	log.Fatal(http.ListenAndServe("localhost:"+os.Getenv("PORT"), nil))
}

func list(w http.ResponseWriter, r *http.Request) {
	token, _ := scopes.TokenFrom(r.Context())
	fmt.Fprintf(w, "books of %s\n", token.Subject)
}

func add(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }
