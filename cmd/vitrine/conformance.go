package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	_ "vitrine/explain/conformance" // the explanation cases
	"vitrine/inference/conformance"
)

func init() {
	register(command{name: "conformance", summary: "compare the engine with recorded reference outputs", run: conformanceCommand})
}

// conformanceResult is the --json form.
type conformanceResult struct {
	Comparisons []conformance.Comparison `json:"comparisons"`
	Passed      int                      `json:"passed"`
	Failed      int                      `json:"failed"`
	Unsupported int                      `json:"unsupported"`
}

func conformanceCommand(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "conformance", "DIR... [--only GLOB] [--json]")
	only := fs.String("only", "", "`pattern` (path.Match) of the folder's path relative to DIR")
	asJSON := fs.Bool("json", false, "print one JSON value")
	dirs, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		return usagef("give at least one folder of golden references")
	}
	r := conformanceResult{Comparisons: []conformance.Comparison{}}
	for _, d := range dirs {
		if _, err := os.Stat(d); err != nil {
			return fmt.Errorf("opening the references: %w", err)
		}
		err := conformance.Run(ctx, d, *only, func(c conformance.Comparison) {
			switch c.Status {
			case conformance.OK:
				r.Passed++
			case conformance.Fail:
				r.Failed++
			default:
				r.Unsupported++
			}
			if *asJSON {
				r.Comparisons = append(r.Comparisons, c)
				return
			}
			status := c.Status
			if c.Why != "" {
				status += ": " + c.Why
			}
			fmt.Fprintf(e.stdout, "%s  %s  %.3g  %.3g  %s\n", c.Name, c.What, c.Largest, c.Allowed, status)
		})
		if errors.Is(err, conformance.ErrFolder) {
			return &withHint{err, "DIR is a folder with cases.json or cases.jsonl at or below it, and --only matches its path relative to DIR"}
		}
		if err != nil {
			return err
		}
	}
	if *asJSON {
		err = printJSON(e.stdout, r)
	} else {
		_, err = fmt.Fprintf(e.stdout, "%d passed, %d failed, %d unsupported\n", r.Passed, r.Failed, r.Unsupported)
	}
	if err == nil && r.Failed > 0 {
		err = &exitError{1}
	}
	return err
}
