package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// overlay adds files that a folder lacks. The references' checkpoints come without tokenizer and image processor,
// because their cases give ids and pixels; the engine rightly refuses such a folder, so a minimal one is supplied.
type overlay struct {
	fs.FS
	extra map[string][]byte
}

// complete supplies what the engine needs to open a checkpoint: a vocabulary that holds the special tokens at their
// ids, and a processor that changes nothing.
func complete(fsys fs.FS, special map[string]int32) fs.FS {
	top := int32(0)
	names := map[int32]string{}
	for name, id := range special {
		if id >= 0 && id < 1<<16 {
			names[id] = "[" + strings.ToUpper(name) + "]"
			top = max(top, id)
		}
	}
	var vocab bytes.Buffer
	for id := int32(0); id <= top; id++ {
		if name, ok := names[id]; ok {
			fmt.Fprintln(&vocab, name)
		} else {
			fmt.Fprintf(&vocab, "[unused%d]\n", id)
		}
	}
	vocab.WriteString("[UNK]\n")
	return overlay{fsys, map[string][]byte{
		"vocab.txt":                vocab.Bytes(),
		"tokenizer_config.json":    []byte(`{"tokenizer_class":"BertTokenizer","do_lower_case":true}`),
		"preprocessor_config.json": []byte(`{"image_processor_type":"ConvNextImageProcessor","do_resize":false,"do_rescale":true,"do_normalize":false,"size":{"shortest_edge":32}}`),
	}}
}

// Open gives the folder's own file, or the supplied one where the folder has none.
func (o overlay) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if raw, ok := o.extra[name]; ok && errors.Is(err, fs.ErrNotExist) {
		return &memory{bytes.NewReader(raw), name}, nil
	}
	return f, err
}

// memory is a file held in memory.
type memory struct {
	*bytes.Reader
	name string
}

func (m *memory) Close() error               { return nil }
func (m *memory) Stat() (fs.FileInfo, error) { return m, nil }
func (m *memory) Name() string               { return m.name }
func (m *memory) Mode() fs.FileMode          { return 0o444 }
func (m *memory) ModTime() time.Time         { return time.Time{} }
func (m *memory) IsDir() bool                { return false }
func (m *memory) Sys() any                   { return nil }
