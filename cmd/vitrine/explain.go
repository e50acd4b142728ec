package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"vitrine/web/app"
)

func init() {
	register(command{name: "explain", summary: "run a model and show why it answered as it did", run: explainCommand})
}

func explainCommand(ctx context.Context, e *env, args []string) (err error) {
	fs := flags(e, "explain", "-m MODEL (--text T | --image FILE) --method ID [--param k=v ...] [--target LABEL|INDEX] [--json]")
	var (
		a      ask
		params list
		method = fs.String("method", "integrated-gradients", "explanation `method`")
		goal   = fs.String("target", "", "`label` or index to explain (default: the predicted one)")
		seed   = fs.Uint64("seed", 0, "seed of the random controls")
	)
	a.flags(fs)
	fs.Var(&params, "param", "method parameter `k=v`; may be given several times")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected argument %q", rest[0])
	}
	a.seen(fs)
	ex := &app.ExplainRequest{Method: *method, Target: *goal, Seed: *seed, Params: map[string]any{}}
	for _, p := range params {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" {
			return usagef("--param %q is not of the form k=v", p)
		}
		ex.Params[k] = paramValue(v)
	}
	r, err := a.request()
	if err != nil {
		return err
	}
	c, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if r.Model, err = a.resolve(ctx, c); err != nil {
		return err
	}
	r.Explain = ex
	v, err := c.predict(ctx, r)
	if err != nil {
		return err
	}
	if a.json {
		return printJSON(e.stdout, v)
	}
	printPrediction(e.stdout, v)
	printExplanation(e.stdout, v.Explanation)
	return nil
}

// paramValue reads numbers and truth values as such, the rest as text.
func paramValue(s string) any {
	var v any
	if err := json.Unmarshal([]byte(s), &v); err == nil {
		switch v.(type) {
		case float64, bool:
			return v
		}
	}
	return s
}

func printExplanation(w io.Writer, x *app.ExplanationView) {
	if x == nil {
		return
	}
	fmt.Fprintf(w, "%s, target %s of %s\n", x.Method, x.Target.Quantity, x.Target.Label)
	if len(x.Token) == 0 && len(x.Tokens) > 0 {
		var values []float64
		if json.Unmarshal(x.Attributions, &values) == nil {
			x.Token = values
		}
	}
	for i, t := range x.Tokens {
		if i < len(x.Token) {
			fmt.Fprintf(w, "  %-20s %+.4f\n", t.Text, x.Token[i])
		}
	}
	fmt.Fprintf(w, "  baseline %.4f, output %.4f, completeness gap %+.6f, %d gradients\n", x.BaselineOutput, x.Output, x.Delta, x.Gradients)
	for _, m := range x.Metrics {
		fmt.Fprintf(w, "  %-20s %+.4f   random %+.4f\n", m.ID, m.Value, m.Control)
	}
	fmt.Fprintf(w, "  record %s\n", x.RecordHash)
	printRecord(w, "explanation", x.ID, x.Decision, x.Receipt)
}
