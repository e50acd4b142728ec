package inference

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"vitrine/inference/gguf"
	"vitrine/inference/template"
	"vitrine/inference/tokenizer"
	"vitrine/inference/weights"
)

// checkpoint is what a model is loaded from: a folder in hub layout, or one GGUF file.
type checkpoint struct {
	config  []byte // config.json, or what the file's metadata say in its words
	weights *weights.File
	// tokenizer loads what turns text into ids; nil without an error where there is none.
	tokenizer func() (tokenizer.Tokenizer, error)
	// chat parses the chat template; fs.ErrNotExist where there is none.
	chat func() (*template.Template, error)
}

// openCheckpoint opens the checkpoint in a folder. One without config.json that holds a single GGUF file is that file.
func openCheckpoint(fsys fs.FS) (*checkpoint, error) {
	config, err := readSmall(fsys, "config.json")
	if errors.Is(err, fs.ErrNotExist) {
		files, err := fs.Glob(fsys, "*"+ggufEnding)
		if err != nil || len(files) != 1 {
			return nil, fmt.Errorf("%w: the folder has no config.json; give a folder in the layout of the Hugging Face hub, or a GGUF file", ErrModel)
		}
		return openGGUF(fsys, files[0])
	}
	if err != nil {
		return nil, err
	}
	w, err := weights.OpenHub(fsys)
	return &checkpoint{config: config, weights: w,
		tokenizer: func() (tokenizer.Tokenizer, error) { return hubTokenizer(fsys) },
		chat:      func() (*template.Template, error) { return template.Load(fsys) }}, err
}

// hubTokenizer loads a folder's tokenizer. A bare checkpoint, config and weights only, runs on given ids; Encode refuses it.
func hubTokenizer(fsys fs.FS) (tokenizer.Tokenizer, error) {
	if !tokenizer.Present(fsys) {
		return nil, nil
	}
	return tokenizer.Load(fsys)
}

const ggufEnding = ".gguf"

func openGGUF(fsys fs.FS, name string) (*checkpoint, error) {
	f, err := gguf.Open(fsys, name)
	if err != nil {
		return nil, err
	}
	config, w, err := f.Checkpoint()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &checkpoint{config: config, weights: w, tokenizer: func() (tokenizer.Tokenizer, error) {
		if _, ok := f.String("tokenizer.ggml.model"); !ok {
			return nil, nil
		}
		return tokenizer.FromMetadata(f)
	}, chat: func() (*template.Template, error) {
		source, ok := f.String("tokenizer.chat_template")
		if !ok {
			return nil, fs.ErrNotExist
		}
		return template.Parse(source)
	}}, nil
}

// OpenFile loads the checkpoint of one GGUF file of a file system; display is what errors and Info call it.
func OpenFile(fsys fs.FS, name, display string) (*Model, error) {
	if !strings.EqualFold(path.Ext(name), ggufEnding) {
		return nil, fmt.Errorf("inference: %s is a file: %w; give the folder that holds config.json and model.safetensors, or a GGUF file", display, ErrUnsupported)
	}
	return OpenFS(oneFile{fsys, name}, display)
}

// oneFile is a folder that shows a single file of another.
type oneFile struct {
	fs.FS
	name string
}

// ReadDir lists the root.
func (o oneFile) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	info, err := fs.Stat(o.FS, o.name)
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}

// Open opens the file or the root, and nothing else.
func (o oneFile) Open(name string) (fs.File, error) {
	if name != o.name && name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return o.FS.Open(name)
}
