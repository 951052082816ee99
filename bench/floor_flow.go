package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/templates"
)

// What the server asks of the store for a code: the session, the user and the consent, both before and after it has
// written; the name of the grant in the user's index, and the grant. For the redemption it reads and swaps the grant.
const (
	flowReads  = 6
	flowWrites = 2
	flowFloor  = "Gin + 7 GET + 3 Lua"

	floorRecord = floorTokens + "record" // what is read
	floorSigned = ".signed"              // ends a code for which there is an ID token
	idHeader    = `{"alg":"ES256","kid":"bq3pEpVY3e1sgMtm8fqGcRpdYtNnGZcYtZqTBoRbKrA"}`
	// idClaims and accessClaims are as long as usual ones.
	accessClaims = `{"iss":"http://127.0.0.1:40000","aud":["https://stock.example.com/api"],"sub":"bench-machine","client_id":"bench-machine",` +
		`"scope":"stock:read","iat":1790000000,"exp":1790000600,"jti":"019aacc0-7a3b-7c3e-8f51-3f3f6f0b7c11.1.1790000600","sc_grant":"019aacc0-7a3b-7c3e-8f51-3f3f6f0b7c11"}`
	idClaims = `{"iss":"http://127.0.0.1:40000","aud":"bench-site","exp":1790000600,"iat":1790000000,"auth_time":1789999000,` +
		`"nonce":"nonce-of-the-site","acr":"urn:safeconduct:acr:password","amr":["pwd"],"at_hash":"VdB0pVQzJg2vXxG8d6mV3A",` +
		`"sid":"3c9e2f4c-1a34-4f8b-9d2d-0b6c3c1b7a11","sub":"019aacc0-7a3b-7c3e-8f51-3f3f6f0b7c11","name":"Grace Hopper",` +
		`"preferred_username":"person1234","updated_at":1789990000}`
)

// flowFloors adds the floors of the code flow: as many calls of Redis as the server makes, and one signature if there is
// an ID token.
func (f *floor) flowFloors(engine *gin.Engine) error {
	ctx := context.Background()
	if err := f.redis.Set(ctx, floorRecord, make([]byte, 2*recordSize), seedLife).Err(); err != nil {
		return err
	}
	es256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	rs256, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	f.signer, f.signers = es256, map[string]crypto.Signer{siteID: es256, siteRSAID: rs256}
	engine.GET(flowPath, f.authorize)
	return nil
}

// authorize redirects with a code.
func (f *floor) authorize(c *gin.Context) {
	ctx := c.Request.Context()
	asked := c.Request.URL.Query()
	if cookie, err := c.Request.Cookie(sessionCookie); err != nil || cookie.Value == "" {
		c.Status(http.StatusUnauthorized)
		return
	}
	for range flowReads {
		if f.redis.Get(ctx, floorRecord).Err() != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
	}
	code := rand.Text()
	for _, kind := range []string{"", "index"}[:flowWrites] {
		if !f.replace(ctx, kind+code, "", make([]byte, recordSize)) {
			c.Status(http.StatusInternalServerError)
			return
		}
	}
	if strings.HasPrefix(asked.Get("scope"), "openid ") {
		code += floorSigned
	}
	answer := url.Values{"code": {code}, "state": {asked.Get("state")}}
	c.Redirect(http.StatusSeeOther, asked.Get("redirect_uri")+"?"+answer.Encode())
}

// redeem answers a code with tokens.
func (f *floor) redeem(c *gin.Context, body []byte) {
	form := c.Request.PostForm
	code, signed := strings.CutSuffix(form.Get("code"), floorSigned)
	ctx := c.Request.Context()
	record, err := f.redis.Get(ctx, floorTokens+code).Bytes()
	if err != nil || !f.replace(ctx, code, string(record[:32]), append(bytes.Clone(record[32:]), record[:32]...)) {
		c.Status(http.StatusInternalServerError)
		return
	}
	if signed {
		id, _, _ := c.Request.BasicAuth()
		token, err := f.sign(f.signers[id], idClaims)
		if err != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		body = append(append(body, `,"id_token":"`...), token...)
		body = append(body, '"')
	}
	c.Data(http.StatusOK, jsonType, append(body, `,"scope":"openid orders:read orders:write profile"}`...))
}

// replace is one script that compares what is there and replaces it.
func (f *floor) replace(ctx context.Context, name, current string, record []byte) bool {
	done, err := f.rotate.EvalSha(ctx, f.redis, []string{floorTokens + name}, current, record, floorLife.Milliseconds()).Int()
	return err == nil && done == 1
}

// loginPageFloor answers with the bytes of a login page, made once.
func loginPageFloor(engine *gin.Engine) error {
	pages, err := templates.New(templates.Options{})
	if err != nil {
		return err
	}
	var page bytes.Buffer
	form := templates.Form{Action: loginPath + "?to=account", Token: strings.Repeat("t", 43)}
	if err := pages.Render(&page, "en", templates.LoginPage{Form: form, RememberFor: 30 * 24 * time.Hour}); err != nil {
		return err
	}
	engine.GET(loginPath, func(c *gin.Context) { c.Data(http.StatusOK, "text/html; charset=utf-8", page.Bytes()) })
	return nil
}
