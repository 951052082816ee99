package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-redis/redis/v8"
)

// floor is the least that a handler does for a request: authenticate the client, parse the form, make one Redis call, or
// for a code as many as the server, and write an answer of the usual size. It checks no scope, counts no guess, writes
// no log and joins no calls.
type floor struct {
	redis   *redis.Client
	secrets map[string][sha256.Size]byte
	rotate  *redis.Script
	signer  crypto.Signer            // of access tokens, ES256
	signers map[string]crypto.Signer // of ID tokens, by client
}

const (
	helloPath = "/hello"
	// The floors that neither read a form nor know a client.
	barePath       = "/get"
	bareSignedPath = "/set-es256"
	loginPath      = "/login"
	jsonType       = "application/json; charset=utf-8"
	recordSize     = 140 // bytes, about a grant's
	floorTokens    = "f:"
	floorLife      = 15 * time.Minute
	floorChain     = 22 // characters that name a chain of refresh tokens
	floorRefresh   = 86 // characters of a refresh token
)

// rotateSource takes the place of read and swap: one script that compares the current token and replaces it.
const rotateSource = `
local current = redis.call('GETRANGE', KEYS[1], 0, 31)
if current ~= '' and current ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`

// startFloor serves the floors of all scenarios; without a Redis URL it is only the bare Gin.
func startFloor(j job) (address string, stop func() error, err error) {
	f := &floor{secrets: make(map[string][sha256.Size]byte), rotate: redis.NewScript(rotateSource)}
	for id, secret := range j.Credentials {
		f.secrets[id] = sha256.Sum256([]byte(secret))
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET(helloPath, func(c *gin.Context) { c.Data(http.StatusOK, jsonType, []byte(`{"hello":true}`)) })
	if err := loginPageFloor(engine); err != nil {
		return "", nil, err
	}
	if j.Place != "" {
		options, err := redis.ParseURL(j.Place)
		if err != nil {
			return "", nil, err
		}
		options.PoolSize = redisPool
		f.redis = redis.NewClient(options)
		if err := f.rotate.Load(context.Background(), f.redis).Err(); err != nil {
			return "", nil, err
		}
		engine.GET(barePath, f.bareGet)
		engine.GET(bareSignedPath, f.bareSigned)
		engine.POST("/oauth/introspect", f.introspect)
		engine.POST("/oauth/token", f.token)
		engine.POST("/oauth/revoke", f.revoke)
		if err := f.flowFloors(engine); err != nil {
			return "", nil, err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: engine}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), server.Close, nil
}

// enter parses the form and authenticates the client: by Basic, or a public one by its name alone.
func (f *floor) enter(c *gin.Context) bool {
	if err := c.Request.ParseForm(); err != nil {
		c.Status(http.StatusBadRequest)
		return false
	}
	id, secret, ok := c.Request.BasicAuth()
	if !ok {
		id = c.Request.PostForm.Get("client_id")
	}
	known, exists := f.secrets[id]
	presented := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(known[:], presented[:]) != 1 || !exists {
		c.Status(http.StatusUnauthorized)
		return false
	}
	return true
}

// bareGet is one GET and nothing else.
func (f *floor) bareGet(c *gin.Context) {
	if f.redis.Get(c.Request.Context(), floorRecord).Err() != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	c.Data(http.StatusOK, jsonType, []byte(floorAnswer))
}

// bareSigned is one SET, one signature and nothing else.
func (f *floor) bareSigned(c *gin.Context) {
	token, err := f.sign(f.signer, accessClaims)
	if err != nil || f.redis.Set(c.Request.Context(), floorKey(string(token)), make([]byte, recordSize), floorLife).Err() != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	c.Data(http.StatusOK, jsonType, append(append([]byte(`{"access_token":"`), token...), `","token_type":"Bearer","expires_in":600}`...))
}

// sign makes a JWT.
func (f *floor) sign(key crypto.Signer, claims string) ([]byte, error) {
	token := base64.RawURLEncoding.AppendEncode(make([]byte, 0, 1024), []byte(idHeader))
	token = base64.RawURLEncoding.AppendEncode(append(token, '.'), []byte(claims))
	sum := sha256.Sum256(token)
	signature, err := key.Sign(nil, sum[:], crypto.SHA256)
	return base64.RawURLEncoding.AppendEncode(append(token, '.'), signature), err
}

// floorKey is the key of a token's record.
func floorKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return floorTokens + string(sum[:16])
}

// introspect is one GET; the record is the answer.
func (f *floor) introspect(c *gin.Context) {
	if !f.enter(c) {
		return
	}
	answer, err := f.redis.Get(c.Request.Context(), floorKey(c.Request.PostForm.Get("token"))).Bytes()
	if err != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	c.Data(http.StatusOK, jsonType, answer)
}

// revoke is one DEL.
func (f *floor) revoke(c *gin.Context) {
	if !f.enter(c) {
		return
	}
	if f.redis.Del(c.Request.Context(), floorKey(c.Request.PostForm.Get("token"))).Err() != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	c.Data(http.StatusOK, jsonType, []byte("{}"))
}

// token is one SET, or for a refresh one script; see redeem for a code.
func (f *floor) token(c *gin.Context) {
	if !f.enter(c) {
		return
	}
	var random [64]byte
	rand.Read(random[:])
	access := base64.RawURLEncoding.EncodeToString(random[:])
	body := make([]byte, 0, 320)
	body = append(body, `{"access_token":"sca_`...)
	body = append(body, access...)
	body = append(body, `","token_type":"Bearer","expires_in":`...)
	body = strconv.AppendInt(body, int64(floorLife/time.Second), 10)
	record := make([]byte, recordSize)
	copy(record, access)

	if c.Request.PostForm.Has("code") {
		f.redeem(c, append(body, `,"refresh_token":"`+access+`"`...))
		return
	}
	presented := c.Request.PostForm.Get("refresh_token")
	if c.Request.PostForm.Get("scope") == signedScope {
		token, err := f.sign(f.signer, accessClaims)
		if err != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		body = append(append([]byte(`{"access_token":"`), token...), `","token_type":"Bearer","expires_in":600`...)
	}
	if presented == "" {
		if f.redis.Set(c.Request.Context(), floorKey(access), record, floorLife).Err() != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		c.Data(http.StatusOK, jsonType, append(body, `,"scope":"orders:cancel orders:read orders:write"}`...))
		return
	}
	if len(presented) != floorRefresh {
		c.Status(http.StatusBadRequest)
		return
	}
	chain, generation := presented[:floorChain], presented[floorChain:floorChain+32]
	next := access[:floorRefresh-floorChain]
	copy(record, next[:32])
	done, err := f.rotate.EvalSha(c.Request.Context(), f.redis, []string{floorTokens + chain}, generation, record, floorLife.Milliseconds()).Int()
	if err != nil || done != 1 {
		c.Status(http.StatusInternalServerError)
		return
	}
	body = append(body, `,"refresh_token":"`...)
	body = append(append(body, chain...), next...)
	c.Data(http.StatusOK, jsonType, append(body, `","scope":"orders:cancel orders:read orders:write"}`...))
}
