package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"text/tabwriter"

	"vitrine/web"
	"vitrine/web/app"
)

func init() {
	register(command{name: "model", summary: "list models, add a checkpoint folder", run: modelCommand})
}

func modelCommand(ctx context.Context, e *env, args []string) error {
	return subcommand(ctx, e, "model", args, map[string]func(context.Context, *env, []string) error{
		"list": modelList, "add": modelAdd, "show": modelShow,
	})
}

// subcommand runs the second word of a command line.
func subcommand(ctx context.Context, e *env, name string, args []string, subs map[string]func(context.Context, *env, []string) error) error {
	if len(args) > 0 {
		if run := subs[args[0]]; run != nil {
			return run(ctx, e, args[1:])
		}
	}
	return usagef("say what to do: vitrine %s %s", name, words(subs))
}

// call opens a target, runs f and closes it again.
func (t *target) call(ctx context.Context, f func(*client) error) (err error) {
	c, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return f(c)
}

func modelList(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "model list", "[--data DIR] [--json]")
	var t target
	t.flags(fs)
	asJSON := fs.Bool("json", false, "print one JSON value")
	if rest, err := parse(fs, args); err != nil || len(rest) > 0 {
		return orUsage(err, rest)
	}
	return t.call(ctx, func(c *client) error {
		var l web.ModelList
		if err := c.do(ctx, http.MethodGet, "/api/v1/models", nil, &l); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(e.stdout, l)
		}
		w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tVERSION\tTASK\tFAMILY\tDIGEST")
		for _, m := range l.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.16s\n", m.Name, m.Version, m.Task, m.Family, m.Digest)
		}
		return w.Flush()
	})
}

func modelAdd(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "model add", "FOLDER [--name N] [--version V] [--data DIR] [--json]")
	var t target
	t.flags(fs)
	name := fs.String("name", "", "`name` to register under (default: the folder's)")
	version := fs.String("version", "", "`version` (default: from the model card, else the digest)")
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give one checkpoint folder")
	}
	folder, err := filepath.Abs(rest[0])
	if err != nil {
		return fmt.Errorf("finding the folder: %w", err)
	}
	return t.call(ctx, func(c *client) error {
		var m app.ModelView
		if err := c.do(ctx, http.MethodPost, "/api/v1/models", map[string]string{"folder": folder, "name": *name, "version": *version}, &m); err != nil {
			return err
		}
		return showModel(e, m, *asJSON)
	})
}

func modelShow(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "model show", "NAME [--data DIR] [--json]")
	var t target
	t.flags(fs)
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give one model: NAME, NAME@VERSION or a digest")
	}
	return t.call(ctx, func(c *client) error {
		var m app.ModelView
		if err := c.do(ctx, http.MethodGet, "/api/v1/models/"+rest[0], nil, &m); err != nil {
			return err
		}
		return showModel(e, m, *asJSON)
	})
}

func showModel(e *env, m app.ModelView, asJSON bool) error {
	if asJSON {
		return printJSON(e.stdout, m)
	}
	fmt.Fprintf(e.stdout, "%s@%s  %s, %s\n  digest %s\n  %d parameters, %s\n", m.Name, m.Version, m.Task, m.Architecture, m.Digest, m.Parameters, m.DType)
	for _, f := range m.Files {
		fmt.Fprintf(e.stdout, "  %s  %s (%d bytes)\n", f.SHA256, f.Path, f.Size)
	}
	return nil
}
