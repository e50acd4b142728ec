package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"vitrine/policy"
	policystore "vitrine/policy/store"
	"vitrine/web/app"
)

func init() {
	register(command{name: "policy", summary: "check, test, compare, export and import policies; who can do what", run: policyCommand})
}

func policyCommand(ctx context.Context, e *env, args []string) error {
	return subcommand(ctx, e, "policy", args, map[string]func(context.Context, *env, []string) error{
		"check": policyCheck, "test": policyTest, "diff": policyDiff, "who-can": policyWhoCan, "what-can": policyWhatCan, "export": policyExport, "import": policyImport,
	})
}

// policyFile is the content of a policy file: rows as Casbin reads them, or the
// canonical bytes of a version, as evidence packs hold them.
type policyFile struct {
	rules  []policy.Rule
	groups []policy.Grouping
}

const maxPolicyFile = 64 << 20

func readPolicy(e *env, path string) (*policyFile, error) {
	raw, err := readInput(e, path, maxPolicyFile)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		s, err := policy.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return &policyFile{s.Rules(), s.Groups()}, nil
	}
	rules, groups, err := policy.ReadCSV(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &policyFile{rules, groups}, nil
}

// readInput reads a file whole, "-" for standard input, up to limit bytes.
func readInput(e *env, path string, limit int64) ([]byte, error) {
	r := e.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%s is larger than %d MB", path, limit>>20)
	}
	return raw, err
}

func (p *policyFile) compile(path string) (*policy.Snapshot, error) {
	s, err := policy.Compile(0, p.rules, p.groups)
	if err != nil {
		return nil, &withHint{fmt.Errorf("%s: %w", path, err), "vitrine policy check " + path + " lists everything that is wrong"}
	}
	return s, nil
}

// policyCheck prints what Lint finds; exit 1 when the policy cannot be put into
// force.
func policyCheck(_ context.Context, e *env, args []string) error {
	fs := flags(e, "policy check", "FILE [--json]   (rows as Casbin reads them, or a version from an evidence pack; - = standard input)")
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give one policy file")
	}
	p, err := readPolicy(e, rest[0])
	if err != nil {
		return err
	}
	issues := policystore.Lint(p.rules, p.groups)
	if *asJSON {
		err = printJSON(e.stdout, map[string]any{"rules": len(p.rules), "groups": len(p.groups), "issues": append([]policy.Issue{}, issues...)})
	} else {
		for _, i := range issues {
			fmt.Fprintf(e.stdout, "%s  %s  %s\n", i.Severity, i.Code, printable(i.Message))
		}
		fmt.Fprintf(e.stdout, "%d rules, %d groupings, %d findings\n", len(p.rules), len(p.groups), len(issues))
	}
	if err == nil && policy.HasErrors(issues) {
		err = &exitError{1}
	}
	return err
}

// policyTest holds a policy against its expectations; exit 1 when one fails.
func policyTest(_ context.Context, e *env, args []string) error {
	fs := flags(e, "policy test", "FILE TESTS.json [--json]")
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return usagef("give a policy file and a file of tests")
	}
	p, err := readPolicy(e, rest[0])
	if err != nil {
		return err
	}
	s, err := p.compile(rest[0])
	if err != nil {
		return err
	}
	raw, err := readInput(e, rest[1], maxPolicyFile)
	if err != nil {
		return err
	}
	list, err := policy.ReadExpectations(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("%s: %w", rest[1], err)
	}
	failed := s.Expect(list)
	if *asJSON {
		err = printJSON(e.stdout, map[string]any{"tests": len(list), "failures": append([]policy.Failure{}, failed...)})
	} else {
		for _, f := range failed {
			fmt.Fprintf(e.stdout, "FAIL  %s: want %s, got %s\n", printable(f.Name), f.Want, f.Got)
		}
		fmt.Fprintf(e.stdout, "%d tests, %d failed\n", len(list), len(failed))
	}
	if err == nil && len(failed) > 0 {
		err = &exitError{1}
	}
	return err
}

// policyDiff says who gains and who loses what between two policies.
func policyDiff(_ context.Context, e *env, args []string) error {
	fs := flags(e, "policy diff", "OLD NEW [--json]")
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return usagef("give two policy files")
	}
	var snaps [2]*policy.Snapshot
	for i, path := range rest {
		p, err := readPolicy(e, path)
		if err != nil {
			return err
		}
		if snaps[i], err = p.compile(path); err != nil {
			return err
		}
	}
	changes := app.Effects(policy.Diff(snaps[0], snaps[1]))
	if *asJSON {
		return printJSON(e.stdout, map[string]any{"changes": changes})
	}
	for _, c := range changes {
		fmt.Fprintln(e.stdout, effectSentence(c))
	}
	if len(changes) == 0 {
		fmt.Fprintln(e.stdout, "the two policies answer every question alike")
	}
	return nil
}

func effectSentence(c app.PolicyEffect) string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{c.Gained, "gains"}, {c.Lost, "loses"}, {c.Obligations, "keeps, under other obligations,"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s in %d of %d cases", p.word, c.Action, p.n, c.Contexts))
		}
	}
	x := c.Example
	eg := x.Object + ", purpose " + x.Purpose + ", data class " + x.DataClass
	if x.Method != "" {
		eg += ", method " + x.Method
	}
	return fmt.Sprintf("%s %s (for example %s)", c.Role, strings.Join(parts, " and "), eg)
}

// policyWhoCan asks a file about its roles, or a data folder about roles, people
// and keys.
func policyWhoCan(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "policy who-can", "ACTION [OBJECT] [--file FILE | --data DIR] [--json]")
	var t target
	t.flags(fs)
	file := fs.String("file", "", "a policy `file` instead of the policy in force")
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) < 1 || len(rest) > 2 {
		return usagef("give an action, and perhaps an object like model:NAME")
	}
	action := policy.Action(rest[0])
	if !action.Known() {
		return &usageError{fmt.Sprintf("%q is not an action; use one of %s", rest[0], joinActions())}
	}
	object := strings.TrimSuffix(action.DefaultObject(), "*") + "any"
	if len(rest) == 2 {
		object = rest[1]
	}
	if *file == "" {
		return t.call(ctx, func(c *client) error {
			q := url.Values{"action": {string(action)}, "object": {object}}
			return reached(ctx, e, c, "/api/v1/policies/who-can?"+q.Encode(), *asJSON)
		})
	}
	p, err := readPolicy(e, *file)
	if err != nil {
		return err
	}
	s, err := p.compile(*file)
	if err != nil {
		return err
	}
	v := app.ReachView{Items: []app.ReachedView{}}
	for _, a := range s.WhoCan(action, object, s.Subjects()) {
		v.Items = append(v.Items, app.ReachedView{Access: a})
	}
	return printReach(e, v, *asJSON)
}

func joinActions() string {
	words := make([]string, len(policy.Actions))
	for i, a := range policy.Actions {
		words[i] = string(a)
	}
	return strings.Join(words, ", ")
}

// policyWhatCan lists what one subject can do.
func policyWhatCan(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "policy what-can", "SUBJECT [--data DIR] [--json]   (role:NAME, user:ID or key:ID)")
	var t target
	t.flags(fs)
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give one subject")
	}
	return t.call(ctx, func(c *client) error {
		return reached(ctx, e, c, "/api/v1/policies/what-can?"+url.Values{"subject": {rest[0]}}.Encode(), *asJSON)
	})
}

func reached(ctx context.Context, e *env, c *client, path string, asJSON bool) error {
	var v app.ReachView
	if err := c.do(ctx, http.MethodGet, path, nil, &v); err != nil {
		return err
	}
	return printReach(e, v, asJSON)
}

func printReach(e *env, v app.ReachView, asJSON bool) error {
	if asJSON {
		return printJSON(e.stdout, v)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SUBJECT\tNAME\tACTION\tOBJECT\tWHEN\tBY")
	for _, x := range v.Items {
		when := "always"
		if !x.Always {
			when = "if the conditions hold"
		}
		var by []string
		for i, r := range x.Allows {
			text := r.ID
			if len(x.Paths[i]) > 1 {
				text += " (" + strings.Join(x.Paths[i], " → ") + ")"
			}
			by = append(by, text)
		}
		for _, r := range x.Denies {
			by = append(by, "unless "+r.ID)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Subject, printable(x.Name), x.Action, x.Object, when, strings.Join(by, ", "))
	}
	return w.Flush()
}

func policyExport(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "policy export", "[--out FILE] [--data DIR]   (rows as Casbin reads them)")
	var t target
	t.flags(fs)
	out := fs.String("out", "", "`file` to write (default: standard output)")
	if rest, err := parse(fs, args); err != nil || len(rest) > 0 {
		return orUsage(err, rest)
	}
	return t.call(ctx, func(c *client) error {
		resp, err := c.send(ctx, http.MethodGet, "/api/v1/policies/file", nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if *out == "" {
			_, err = io.Copy(e.stdout, resp.Body)
			return err
		}
		f, err := os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, resp.Body)
		return errors.Join(err, f.Close())
	})
}

func policyImport(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "policy import", "FILE --reason TEXT [--data DIR] [--json]")
	var t target
	t.flags(fs)
	reason := fs.String("reason", "", "why, in one sentence")
	asJSON := fs.Bool("json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 || *reason == "" {
		return usagef("give one policy file and --reason")
	}
	p, err := readPolicy(e, rest[0])
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := policy.WriteCSV(&text, p.rules, p.groups); err != nil {
		return err
	}
	return t.call(ctx, func(c *client) error {
		var v app.PolicyView
		if err := c.do(ctx, http.MethodGet, "/api/v1/policies", nil, &v); err != nil {
			return err
		}
		if err := c.do(ctx, http.MethodPut, "/api/v1/policies/file", map[string]any{"base": v.Version, "csv": text.String(), "reason": *reason}, &v); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(e.stdout, v)
		}
		fmt.Fprintf(e.stdout, "version %d is in force: %d rules\n", v.Version, len(v.Rules))
		return nil
	})
}
