package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"vitrine/web"
	"vitrine/web/app"
)

func init() {
	register(command{name: "user", summary: "add, list and disable accounts", run: userCommand})
	register(command{name: "key", summary: "add, list and disable API keys", run: keyCommand})
}

func words[V any](m map[string]V) string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return strings.Join(out, "|")
}

func orUsage(err error, rest []string) error {
	if err != nil {
		return err
	}
	return usagef("unexpected argument %q", rest[0])
}

func userCommand(ctx context.Context, e *env, args []string) error {
	return subcommand(ctx, e, "user", args, map[string]func(context.Context, *env, []string) error{
		"add": userAdd, "list": userList, "disable": userDisable,
	})
}

func keyCommand(ctx context.Context, e *env, args []string) error {
	return subcommand(ctx, e, "key", args, map[string]func(context.Context, *env, []string) error{
		"add": keyAdd, "list": keyList, "disable": keyDisable,
	})
}

func userAdd(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "user add", "--name N --role R [--role R ...] [--data DIR]   (the password is read from the first line of standard input)")
	var (
		t     target
		roles list
		name  = fs.String("name", "", "sign-in `name`")
	)
	t.flags(fs)
	fs.Var(&roles, "role", "`role`; may be given several times")
	asJSON := fs.Bool("json", false, "print one JSON value")
	if rest, err := parse(fs, args); err != nil || len(rest) > 0 {
		return orUsage(err, rest)
	}
	if *name == "" || len(roles) == 0 {
		return usagef("give --name and at least one --role")
	}
	fmt.Fprint(e.stderr, "password (at least 15 characters): ")
	line, err := bufio.NewReader(e.stdin).ReadString('\n')
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return &withHint{fmt.Errorf("no password on standard input (%w)", err), "type it, or pipe it: printf '%s\\n' \"$PASSWORD\" | vitrine user add …"}
	}
	fmt.Fprintln(e.stderr)
	return t.call(ctx, func(c *client) error {
		var u app.UserView
		if err := c.do(ctx, http.MethodPost, "/api/v1/users", map[string]any{"name": *name, "password": password, "roles": []string(roles)}, &u); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(e.stdout, u)
		}
		fmt.Fprintf(e.stdout, "%s  %s  %s\n", u.ID, u.Name, strings.Join(u.Roles, ","))
		return nil
	})
}

func userList(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "user list", "[--data DIR] [--json]")
	var t target
	t.flags(fs)
	asJSON := fs.Bool("json", false, "print one JSON value")
	if rest, err := parse(fs, args); err != nil || len(rest) > 0 {
		return orUsage(err, rest)
	}
	return t.call(ctx, func(c *client) error {
		var l web.UserList
		if err := c.do(ctx, http.MethodGet, "/api/v1/users", nil, &l); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(e.stdout, l)
		}
		w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tROLES\tDISABLED\tID")
		for _, u := range l.Items {
			fmt.Fprintf(w, "%s\t%s\t%v\t%s\n", u.Name, strings.Join(u.Roles, ","), u.Disabled, u.ID)
		}
		return w.Flush()
	})
}

func userDisable(ctx context.Context, e *env, args []string) error {
	return disable(ctx, e, "user", "/api/v1/users/", args)
}

func keyDisable(ctx context.Context, e *env, args []string) error {
	return disable(ctx, e, "key", "/api/v1/keys/", args)
}

func disable(ctx context.Context, e *env, what, path string, args []string) error {
	fs := flags(e, what+" disable", "--name N [--data DIR]")
	var t target
	t.flags(fs)
	name := fs.String("name", "", "`name` (of a key: its id)")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if *name == "" && len(rest) == 1 {
		*name, rest = rest[0], nil
	}
	if *name == "" || len(rest) > 0 {
		return usagef("give one --name")
	}
	return t.call(ctx, func(c *client) error { return c.do(ctx, http.MethodDelete, path+*name, nil, nil) })
}

func keyAdd(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "key add", "--name N --role R [--expires 2027-01-31] [--data DIR]")
	var (
		t       target
		roles   list
		name    = fs.String("name", "", "what the key is for")
		expires = fs.String("expires", "", "`time` after which it no longer works (default: never)")
	)
	t.flags(fs)
	fs.Var(&roles, "role", "`role`; may be given several times")
	fs.Bool("json", false, "print one JSON value (always so)")
	if rest, err := parse(fs, args); err != nil || len(rest) > 0 {
		return orUsage(err, rest)
	}
	if *name == "" || len(roles) == 0 {
		return usagef("give --name and at least one --role")
	}
	body := map[string]any{"name": *name, "roles": []string(roles)}
	if *expires != "" {
		when, err := timeFlag(*expires)
		if err != nil {
			return err
		}
		body["expires"] = when
	}
	return t.call(ctx, func(c *client) error {
		var k app.NewKey
		if err := c.do(ctx, http.MethodPost, "/api/v1/keys", body, &k); err != nil {
			return err
		}
		return printJSON(e.stdout, k)
	})
}

func keyList(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "key list", "[--data DIR] [--json]")
	var t target
	t.flags(fs)
	asJSON := fs.Bool("json", false, "print one JSON value")
	if rest, err := parse(fs, args); err != nil || len(rest) > 0 {
		return orUsage(err, rest)
	}
	return t.call(ctx, func(c *client) error {
		var l web.KeyList
		if err := c.do(ctx, http.MethodGet, "/api/v1/keys", nil, &l); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(e.stdout, l)
		}
		w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tPREFIX\tROLES\tEXPIRES\tDISABLED\tID")
		for _, k := range l.Items {
			until := "never"
			if k.Expires != nil {
				until = k.Expires.Format(time.DateOnly)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\t%s\n", k.Name, k.Prefix, strings.Join(k.Roles, ","), until, k.Disabled, k.ID)
		}
		return w.Flush()
	})
}
