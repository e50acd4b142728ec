package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"vitrine/explain"
	"vitrine/explain/faithfulness"
	"vitrine/inference"
	"vitrine/inference/pretrained"
)

func init() {
	register(command{name: "faithfulness", summary: "measure every explanation method of a model over a data set", run: faithfulnessCommand})
}

// faithfulnessCommand prints the table, or writes it as MODEL.json and MODEL.md. Like bench and conformance it measures the engine
// and records nothing. The table does not depend on the number of threads.
func faithfulnessCommand(ctx context.Context, e *env, args []string) error {
	flags := flags(e, "faithfulness", "MODEL [--data FILE.jsonl] [--methods ID,ID...] [--most N] [--draws N] [--seed N] [--checks N] [--out DIR | --json]")
	var (
		data    = flags.String("data", "", "`file` of JSON lines with text (or image) and label (default: the model's own evaluation data)")
		methods = flags.String("methods", "", "`ids` of methods, with commas (default: all that suit)")
		most    = flags.Int("most", 0, "explain at most `n` inputs, evenly spread (default: all)")
		draws   = flags.Int("draws", explain.DefaultDraws, "random attributions that each figure is compared with")
		seed    = flags.Uint64("seed", 1, "seed of everything drawn")
		checks  = flags.Int("checks", 8, "inputs of the check with shuffled weights, 0 leaves it out")
		threads = flags.Int("threads", runtime.GOMAXPROCS(0), "inputs explained at once")
		out     = flags.String("out", "", "`folder` for MODEL.json and MODEL.md")
		asJSON  = flags.Bool("json", false, "print one JSON value")
	)
	rest, err := parse(flags, args)
	switch {
	case err != nil:
		return err
	case len(rest) != 1:
		return usagef("give one model: a folder, or the name of a shipped model")
	case *most < 0 || *draws < 1 || *draws > 1000 || *checks < 0 || *threads < 1:
		return usagef("--most and --checks take a number from 0, --draws 1 to 1000, --threads a number from 1")
	case *out != "" && *asJSON:
		return usagef("give --out or --json, not both")
	}
	folder, m, err := openFolder(rest[0])
	if err != nil {
		return err
	}
	defer m.Close()
	name := m.Info().Name
	r := faithfulness.Request{Model: m, Name: name, Most: *most, Draws: *draws, Seed: *seed, Workers: *threads, Checks: *checks, Progress: progress(e)}
	if *methods != "" {
		r.Only = strings.Split(*methods, ",")
	}
	if *checks > 0 {
		r.Checkpoint, r.Open = folder, func(f fs.FS) (explain.Engine, error) { return inference.OpenFS(f, name) }
	}
	if r.Inputs, r.Data, err = evaluationData(folder, *data); err != nil {
		return err
	}
	t, err := faithfulness.Measure(ctx, r)
	if err != nil {
		return err
	}
	switch {
	case *asJSON:
		return printJSON(e.stdout, t)
	case *out != "":
		return writeTable(t, *out)
	}
	return t.Markdown(e.stdout)
}

// openFolder opens a checkpoint's folder, or a shipped model by its name, and gives the folder too.
func openFolder(name string) (fs.FS, *inference.Model, error) {
	m, err := openModel(name)
	if err != nil {
		return nil, nil, err
	}
	if fsys, ok := pretrained.FS(name); ok && m.Info().Name == name {
		return fsys, m, nil
	}
	return os.DirFS(name), m, nil
}

// evaluationData reads a file of rows, or what the model's folder ships.
func evaluationData(folder fs.FS, file string) ([]faithfulness.Input, string, error) {
	if file == "" {
		rows, err := faithfulness.Evaluation(folder)
		if err != nil {
			return nil, "", &withHint{err, "give --data FILE.jsonl with a text and a label on each line"}
		}
		return rows, "the model's evaluation data", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, "", fmt.Errorf("opening the data: %w", err)
	}
	defer f.Close()
	rows, err := faithfulness.Rows(f, os.DirFS(filepath.Dir(file)))
	return rows, filepath.Base(file), err
}

// progress says on stderr how far the measurement is, at most once a second, and what it has taken.
func progress(e *env) func(done, of int) {
	start := time.Now()
	last := start
	return func(done, of int) {
		now := time.Now()
		if now.Sub(last) < time.Second && done < of {
			return
		}
		last = now
		fmt.Fprintf(e.stderr, "%d of %d inputs, %s\n", done, of, now.Sub(start).Round(time.Second))
	}
}

// writeTable writes the two files of a table.
func writeTable(t *faithfulness.Table, folder string) error {
	raw, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	path := filepath.Join(folder, filepath.Base(t.Model))
	if err := os.WriteFile(path+".json", append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	f, err := os.Create(path + ".md")
	if err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	if err := t.Markdown(f); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return f.Close()
}
