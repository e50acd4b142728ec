package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Load reads the chat template of a hub folder: chat_template.jinja, or chat_template of tokenizer_config.json (one
// template, or a list of named ones of which "default" counts). fs.ErrNotExist where the folder has none.
func Load(fsys fs.FS) (*Template, error) {
	raw, err := read(fsys, "chat_template.jinja")
	if err == nil {
		return Parse(string(raw))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("template: reading chat_template.jinja: %w", err)
	}
	if raw, err = read(fsys, "tokenizer_config.json"); err != nil {
		return nil, fmt.Errorf("template: reading tokenizer_config.json: %w", err)
	}
	var config struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, fmt.Errorf("template: %w: tokenizer_config.json: %w", ErrSyntax, err)
	}
	var one string
	if json.Unmarshal(config.Template, &one) == nil && one != "" {
		return Parse(one)
	}
	var named []struct{ Name, Template string }
	if json.Unmarshal(config.Template, &named) == nil {
		for _, n := range named {
			if n.Name == "default" {
				return Parse(n.Template)
			}
		}
	}
	return nil, fmt.Errorf("template: the folder has no chat template: %w", fs.ErrNotExist)
}

// maxConfig bounds the files.
const maxConfig = 16 << 20

func read(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(raw) > maxConfig {
		err = fmt.Errorf("%w: it is larger than %d MiB", ErrBounds, maxConfig>>20)
	}
	return raw, err
}
