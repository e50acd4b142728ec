// Package pretrained holds the small models that ship inside the binary, each
// a hub folder with its card, licences, evaluation data and examples.
package pretrained

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
)

//go:embed all:sentiment-minilm all:digits-resnet
var files embed.FS

// Names lists the shipped models, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("pretrained: embedded files are unreadable")
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// FS is the hub folder of a shipped model; false where there is none of that name.
func FS(name string) (fs.FS, bool) {
	if !slices.Contains(Names(), name) {
		return nil, false
	}
	sub, err := fs.Sub(files, name)
	return sub, err == nil
}

// Example is one input to try a shipped model on: a text or a picture.
type Example struct {
	Text  string
	Image []byte // encoded PNG, nil for text
	File  string // base name of the picture, "" for text
	Label string // the label that people gave it
	Note  string // source of a text, remark on a picture
}

// examplesPerLabel keeps the playground's list short.
const examplesPerLabel = 4

// Examples gives inputs of every label, the labels taking turns, read from
// examples/index.json where the folder has one, else from eval.jsonl. Unknown
// names give an empty list.
func Examples(name string) ([]Example, error) {
	fsys, ok := FS(name)
	if !ok {
		return nil, nil
	}
	if index, err := fs.ReadFile(fsys, "examples/index.json"); err == nil {
		return imageExamples(fsys, index)
	}
	raw, err := fs.ReadFile(fsys, "eval.jsonl")
	if err != nil {
		return nil, fmt.Errorf("pretrained: reading examples of %s: %w", name, err)
	}
	return textExamples(raw)
}

func imageExamples(fsys fs.FS, index []byte) ([]Example, error) {
	var rows []struct{ File, Label, Note string }
	if err := json.Unmarshal(index, &rows); err != nil {
		return nil, fmt.Errorf("pretrained: reading examples/index.json: %w", err)
	}
	var all []Example
	for _, r := range rows {
		raw, err := fs.ReadFile(fsys, "examples/"+r.File)
		if err != nil {
			return nil, fmt.Errorf("pretrained: reading example: %w", err)
		}
		all = append(all, Example{Image: raw, File: r.File, Label: r.Label, Note: r.Note})
	}
	return inTurns(all), nil
}

func textExamples(raw []byte) ([]Example, error) {
	var all []Example
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r struct{ Text, Label, Source string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("pretrained: reading eval.jsonl: %w", err)
		}
		all = append(all, Example{Text: r.Text, Label: r.Label, Note: r.Source})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("pretrained: reading eval.jsonl: %w", err)
	}
	return inTurns(all), nil
}

// inTurns orders examples so that the labels take turns, each in file order.
func inTurns(all []Example) []Example {
	byLabel := map[string][]Example{}
	var labels []string
	for _, e := range all {
		if _, seen := byLabel[e.Label]; !seen {
			labels = append(labels, e.Label)
		}
		byLabel[e.Label] = append(byLabel[e.Label], e)
	}
	slices.Sort(labels)
	var out []Example
	for turn := range examplesPerLabel {
		for _, l := range labels {
			if turn < len(byLabel[l]) {
				out = append(out, byLabel[l][turn])
			}
		}
	}
	return out
}
