package server

import (
	"context"
	"net"
	"net/http"
	"os"

	"golang.org/x/sys/unix"

	"github.com/safeconduct/safeconduct/scopes"
)

// localKey marks the context of a request that came from the operator of this machine and not from the network.
type localKey struct{}

// LocalHandler answers requests of the operator: over the unix socket in the data directory, or from a command in the
// same process. Its requests carry all scopes of our own API and need no token. It must never serve a network listener.
func (s *Server) LocalHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused, _ := r.Context().Value(strangerKey{}).(bool); refused {
			http.Error(w, "only the owner of the server's process and root may use this socket", http.StatusForbidden)
			return
		}
		s.serve(w, r.WithContext(context.WithValue(r.Context(), localKey{}, true)))
	})
}

func isLocal(ctx context.Context) bool {
	local, _ := ctx.Value(localKey{}).(bool)
	return local
}

// operator is the token that a local request would have.
func (s *Server) operator() *scopes.Token {
	return &scopes.Token{Subject: "operator", Issuer: s.issuer, Audience: []string{s.api.ID}}
}

// strangerKey marks a connection to the local socket of somebody else than the server's own user or root.
type strangerKey struct{}

// checkPeer looks at who is at the other end of a unix socket (SO_PEERCRED). The socket's mode keeps strangers out as
// well; this holds where a mode does not.
func checkPeer(ctx context.Context, conn net.Conn) context.Context {
	if uid, ok := peerUID(conn); ok && (uid == 0 || uid == uint32(os.Getuid())) {
		return ctx
	}
	return context.WithValue(ctx, strangerKey{}, true)
}

func peerUID(conn net.Conn) (uint32, bool) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, false
	}
	var peer *unix.Ucred
	var peerErr error
	if err := raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || peerErr != nil {
		return 0, false
	}
	return peer.Uid, true
}
