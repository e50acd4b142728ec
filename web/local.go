package web

import (
	"context"
	"net/http"
)

type localKey struct{}

// Local is the server as the operator at the machine sees it: every request is
// the subject user:local. It is for the command line in the same process and
// for the socket in the data folder, which only its owner can open; it must
// never be reachable otherwise.
func (s *Server) Local() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.echo.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), localKey{}, true)))
	})
}

func isLocal(r *http.Request) bool { return r.Context().Value(localKey{}) != nil }
