// Package scopes guards the routes of an HTTP API with OAuth 2 scopes, one route at a time. It is what a resource
// server imports: it needs nothing of Safeconduct but this package, and nothing but the standard library.
//
//	checker, err := scopes.NewChecker(scopes.Config{
//		Issuer:   "https://auth.example.com",
//		Audience: "https://orders.example.com",
//		ID:       "orders",
//		Secret:   secret,
//	})
//	…
//	mux.Handle("GET /orders", scopes.Require(checker, "orders:read")(http.HandlerFunc(listOrders)))
//	mux.Handle("POST /orders", scopes.Require(checker, "orders:write")(http.HandlerFunc(placeOrder)))
//
// A handler behind Require runs only for a request whose access token is valid and covers every required scope. It
// finds the facts of that token, such as the user and the client, with [TokenFrom].
//
// # The parts
//
// [Bearer] takes the token from the Authorization header, and from nowhere else. A [Checker] says whether the token is
// valid now, and what it allows; an [Introspector] is a Checker that asks the authorization server (RFC 7662), a
// [Verifier] one that verifies JWTs itself (RFC 9068) and follows the revocations, and [NewChecker] makes whichever the
// configuration asks for. [Metadata] tells clients where to get a token (RFC 9728). A
// [Guard] holds the options of an API, such as its realm, and makes a [Rule] for each route; [Require] is the short form
// without options. A [Refusal] is the answer to a request that may not pass. A [Set] is a list of scopes.
//
// # The answers
//
// Refused requests are answered as RFC 6750 section 3 demands, with a WWW-Authenticate header, and with a JSON body of
// the members error and error_description:
//
//	400 invalid_request          several Authorization headers
//	401 unauthorized             no access token; the header carries no error code, only the body does
//	401 invalid_token            the token is malformed, unknown, expired, revoked or meant for another API
//	403 insufficient_scope       the token is good but lacks a required scope, which the answer names
//	503 temporarily_unavailable  the token could not be checked; Retry-After says when to try again
//
// What goes wrong while a token is checked never lets a request pass, and never passes for a bad token either: it is
// 503, because clients throw away a token that is called invalid.
//
// # What it never does
//
// It never takes a token from the query string or from a form, where logs and caches would keep it (RFC 9700 section
// 4.3.2). It never writes a token or a secret into an error, and never lets what came with a request into an answer.
//
// A browser's CORS preflight carries no token: put the CORS handler outside the guard.
package scopes
