package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/go-redis/redis/v8"
)

// refusal says why a server is unfit to keep records, and what to change. It has no Unwrap: go-redis unwraps what
// comes from its OnConnect.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func refuse(format string, args ...any) *refusal { return &refusal{fmt.Sprintf(format, args...)} }

// refusalOf is the refusal that err stands for, or nil: some are found by the store, some are told by Redis when the
// connection is set up.
func refusalOf(host string, err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if !isAnswer(err) {
		return nil
	}
	for _, known := range []struct{ answer, text string }{
		{"WRONGPASS", "refuses the user name or the password: correct them"},
		{"ERR invalid password", "refuses the password: correct it"},
		{"NOAUTH", "asks for a password: give it in a file (store.password_file) or in the URL"},
		{"ERR AUTH <password> called without any password", "has no password, but one was given: set requirepass there, or give none"},
		{"ERR Client sent AUTH, but no password is set", "has no password, but one was given: set requirepass there, or give none"},
		{"ERR wrong number of arguments for 'auth'", "knows no user names: it is older than 6.2, use a newer one"},
		{"ERR DB index is out of range", "has no database of that number: lower the number in the URL, or raise databases there"},
	} {
		if strings.HasPrefix(err.Error(), known.answer) {
			return refuse("redis at %s %s", host, known.text)
		}
	}
	if strings.HasPrefix(err.Error(), "NOPERM") {
		return refuse("redis at %s: the user may not do what is needed (%s): give it the rights that docs/redis.md lists",
			host, plain(err))
	}
	return nil
}

// refusedTLS is the refusal for a server whose certificate is no good or that answers without TLS, else nil.
func refusedTLS(host string, err error) *refusal {
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refuse("redis at %s: %v: give the authority that issued its certificate, or the host name that stands in it", host, certificate.Err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return refuse("redis at %s does not speak TLS: write redis:// instead of rediss://, or give its TLS port", host)
	}
	return nil
}

// isAnswer reports whether err is what Redis itself said, so that it is known what became of the command.
func isAnswer(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

// mayHaveRun reports whether the command was sent, or nearly so, and nothing is known of what became of it.
func mayHaveRun(err error) bool {
	if _, failedDial := errors.AsType[*dialError](err); failedDial || isAnswer(err) {
		return false
	}
	if _, refused := errors.AsType[*refusal](err); refused {
		return false
	}
	// redis.ErrClosed is ours, and a full pool has sent nothing.
	return !errors.Is(err, redis.ErrClosed) && err.Error() != poolTimeoutText
}

// poolTimeoutText is the text of an error that go-redis does not export.
const poolTimeoutText = "redis: connection pool timeout"

// plain is the error's text as it may stand in a log. For an unknown command Redis quotes its arguments, and these may
// be records.
func plain(err error) string {
	text, _, _ := strings.Cut(err.Error(), ", with args beginning with")
	return strings.TrimPrefix(text, "redis: ")
}
