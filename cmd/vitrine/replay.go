package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gowebpki/jcs"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/inference/pretrained"
)

func init() {
	register(command{name: "replay", summary: "make a recorded explanation again and compare it bit by bit", run: replay})
}

// replay exits 0 for identical bits, 1 for different ones (each reason named), 2 when it cannot be decided. It reads a record,
// or the JSON of an explanation that holds one, and the model's folder, and records nothing.
func replay(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "replay", "RECORD.json -m FOLDER (--text T [--pair T] | --image FILE | --erased) [--hash H] [--json]")
	var a ask
	fs.StringVar(&a.model, "m", "", "`folder` of the checkpoint, or the name of a shipped model")
	fs.StringVar(&a.text, "text", "", "input `text`, as the model saw it")
	fs.StringVar(&a.pair, "pair", "", "second `text` of a pair")
	fs.StringVar(&a.image, "image", "", "input picture `file` (PNG or JPEG)")
	fs.IntVar(&a.threads, "threads", 0, "processor threads (default: all)")
	erased := fs.Bool("erased", false, "the input is not at hand any more")
	hash := fs.String("hash", "", "`hash` of the record as the log names it")
	fs.BoolVar(&a.json, "json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 || a.model == "" {
		return usagef("give one record and its model: RECORD.json -m FOLDER")
	}
	a.seen(fs)
	q := explain.ReplayRequest{Hash: *hash, Threads: a.threads}
	if !*erased {
		if q.Input, err = a.input(); err != nil {
			return err
		}
	} else if a.set["text"] || a.set["image"] {
		return usagef("an erased input has no --text and no --image")
	}
	if q.Record, q.Hash, err = readRecordFile(rest[0], q.Hash); err != nil {
		return err
	}
	m, err := openModel(a.model)
	if err != nil {
		return err
	}
	defer m.Close()
	q.Model = m
	r, err := explain.Replay(ctx, q)
	if err != nil {
		return err
	}
	if a.json {
		err = printJSON(e.stdout, r)
	} else {
		err = printReplay(e.stdout, r)
	}
	if err == nil && !r.Identical {
		err = &exitError{1}
	}
	return err
}

// openModel opens a checkpoint's folder, or a shipped model by its name.
func openModel(name string) (*inference.Model, error) {
	if fsys, ok := pretrained.FS(name); ok {
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			return inference.OpenFS(fsys, name)
		}
	}
	return inference.Open(name)
}

// input is the input as the engine takes it.
func (a *ask) input() (*inference.Input, error) {
	r, err := a.request()
	if err != nil {
		return nil, err
	}
	in := &inference.Input{Pair: r.Pair, Image: r.Image}
	if r.Text != nil {
		in.Text = *r.Text
	}
	return in, nil
}

// maxRecordFile bounds what is read as a record.
const maxRecordFile = 512 << 20

// readRecordFile reads a record, or takes it and its hash out of an explanation's JSON, at any depth that the program writes.
func readRecordFile(path, hash string) ([]byte, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("opening the record: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxRecordFile+1))
	if err != nil {
		return nil, "", fmt.Errorf("reading the record: %w", err)
	}
	if len(raw) > maxRecordFile {
		return nil, "", fmt.Errorf("reading the record: %s is larger than %d MiB", path, maxRecordFile>>20)
	}
	var doc struct {
		Format      string          `json:"format"`
		Record      json.RawMessage `json:"record"`
		RecordHash  string          `json:"record_hash"`
		Explanation *struct {
			Record     json.RawMessage `json:"record"`
			RecordHash string          `json:"record_hash"`
		} `json:"explanation"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, "", &withHint{fmt.Errorf("reading the record: %s is no JSON", path), "give the record that the explanation's page or the API offers"}
	}
	record, named := raw, ""
	switch {
	case doc.Format != "":
		return raw, hash, nil
	case doc.Explanation != nil && len(doc.Explanation.Record) > 0:
		record, named = doc.Explanation.Record, doc.Explanation.RecordHash
	case len(doc.Record) > 0:
		record, named = doc.Record, doc.RecordHash
	default:
		return nil, "", &withHint{errors.New("reading the record: the file holds no record"), "an explanation shown at a lower level of detail comes without its record"}
	}
	// inside another document it may have been indented: its canonical form is what was hashed
	if record, err = jcs.Transform(record); err != nil {
		return nil, "", fmt.Errorf("reading the record: %w", err)
	}
	if hash == "" {
		hash = named
	}
	return record, hash, nil
}

func printReplay(w io.Writer, r *explain.Replayed) error {
	if r.Identical {
		_, err := fmt.Fprintf(w, "identical bits: %s, record %s\n", r.Method, r.Hash)
		return err
	}
	if _, err := fmt.Fprintf(w, "different: %s, record %s\n", r.Method, r.Hash); err != nil {
		return err
	}
	for _, d := range r.Differences {
		if _, err := fmt.Fprintf(w, "  because %s\n", d); err != nil {
			return err
		}
	}
	if !r.Ran {
		_, err := fmt.Fprintln(w, "  nothing was computed: it could only have explained something else")
		return err
	}
	return nil
}
