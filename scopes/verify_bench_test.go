package scopes_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// requireBench is a guard with a Verifier, and what a request costs it.
func requireBench(b *testing.B, key signingKey, tokens int, cacheSize int) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, keySetOf(key)) }))
	defer server.Close()
	v := newVerifier(b, scopes.VerifierConfig{Issuer: server.URL, Audience: audience, NoFeed: true, CacheSize: cacheSize})
	defer v.Close()
	handler := scopes.Require(v, "orders:read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	requests := make([]*http.Request, tokens)
	for n := range requests {
		requests[n] = withHeader("Bearer " + key.token(good(n).with("iss", `"`+server.URL+`"`, "status", `{"status_list":{"idx":7,"uri":"https://id.example.com/oauth/status/1"}}`)))
	}
	w := httptest.NewRecorder()
	for n := 0; n < max(1, min(tokens, cacheSize)); n++ {
		if handler.ServeHTTP(w, requests[n]); w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
	defer cpuTime(b)()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		handler.ServeHTTP(w, requests[n%tokens])
	}
}

// cpuTime reports the processor time of each operation, the collection of garbage included.
func cpuTime(b *testing.B) (report func()) {
	used := func() int64 {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return usage.Utime.Nano() + usage.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// What a request with a JWT costs, seen first and seen before, and what of that is the bare signature.
func BenchmarkRequireJWT(b *testing.B) {
	for _, key := range []signingKey{es(), rs(), ed()} {
		b.Run(key.algorithm+"/first", func(b *testing.B) { requireBench(b, key, 2000, 1) })
		b.Run(key.algorithm+"/before", func(b *testing.B) { requireBench(b, key, 1, 0) })
	}
	b.Run("ES256/before, of 10000", func(b *testing.B) { requireBench(b, es(), 10_000, 10_000) })
	b.Run("ES256/bare signature", benchmarkBareSignature)
}

// A revocation feed of many entries costs a request no more.
func BenchmarkCheckWithFeed(b *testing.B) {
	for _, entries := range []int{0, 100_000} {
		b.Run(fmt.Sprint(entries), func(b *testing.B) {
			is := newIssuer(b, es())
			all := make([]string, entries)
			for n := range all {
				all[n] = revokeGrant(time.Now(), n+1, time.Hour)
			}
			is.revoke(all...)
			v := newVerifier(b, is.config(b))
			token := es().token(good(0))
			if _, err := v.Check(context.Background(), token); err != nil {
				b.Fatal(err)
			}
			defer cpuTime(b)()
			b.ReportAllocs()
			for b.Loop() {
				v.Check(context.Background(), token)
			}
		})
	}
}

// benchmarkBareSignature is the floor: nothing is done but the arithmetic.
func benchmarkBareSignature(b *testing.B) {
	key := es().signer.(*ecdsa.PrivateKey)
	digest := sha256.Sum256([]byte("signed"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	defer cpuTime(b)()
	for b.Loop() {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
			b.Fatal("the signature is wrong")
		}
	}
}
