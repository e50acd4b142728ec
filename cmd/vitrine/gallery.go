package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"vitrine/views/gallery"
)

func init() {
	register(command{name: "gallery", summary: "every page of the console in its states, with made-up contents", run: showGallery})
}

func showGallery(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "gallery", "[--addr 127.0.0.1:8090]")
	addr := fs.String("addr", "127.0.0.1:8090", "loopback `address` to listen on")
	if rest, err := parse(fs, args); err != nil || len(rest) > 0 {
		return orUsage(err, rest)
	}
	l, err := listen(*addr)
	if err != nil {
		return err
	}
	if !loopback(l.Addr()) {
		return errors.Join(usagef("the gallery listens on loopback only, and %s is not loopback", *addr), l.Close())
	}
	fmt.Fprintf(e.stdout, "ready: http://%s\n", l.Addr())
	srv := &http.Server{Handler: gallery.Handler(), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return srv.Close()
	}
}
