package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"vitrine/web/app"
)

func init() {
	register(command{name: "rotate", summary: "give the log a new signing key; the old one signs who follows it", run: rotate})
}

func rotate(ctx context.Context, e *env, args []string) (err error) {
	fs := flags(e, "rotate", "[--data DIR] [--json]")
	var t target
	t.flags(fs)
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected argument %q", rest[0])
	}
	c, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	var v app.LogKeyView
	if err := c.do(ctx, http.MethodPost, "/api/v1/audit/key", nil, &v); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(e.stdout, v)
	}
	fmt.Fprintf(e.stdout, "%s\nfingerprint %s; give the line to whoever checks packs of this log\n", v.Key, v.Fingerprint)
	return nil
}
