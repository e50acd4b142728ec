package inference

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// The three ways in which the engine says no. Every error of this package wraps one of them or a context error.
var (
	// ErrInput: the input cannot be used (empty, not UTF-8, too large, not an image); the caller can correct it.
	ErrInput = errors.New("input not usable")
	// ErrModel: the checkpoint is broken (missing tensor, wrong shape, hostile header).
	ErrModel = errors.New("model not usable")
	// ErrUnsupported: a known thing that this engine does not run (yet), named in the message.
	ErrUnsupported = errors.New("not supported")
)

// Model is a loaded checkpoint. It is safe for use by several goroutines.
type Model struct {
	info Info
}

// Open loads the checkpoint of a hub folder: config.json, *.safetensors, tokenizer or image processor files.
func Open(dir string) (*Model, error) {
	return OpenFS(os.DirFS(dir), dir)
}

// OpenFS loads the checkpoint of a hub folder held by any file system; name is what errors and Info call it.
func OpenFS(fsys fs.FS, name string) (*Model, error) {
	return &Model{info: Info{Name: name}}, nil
}

// Info describes the model.
func (m *Model) Info() Info { return m.info }

// Close releases the mapped files. No call may be running.
func (m *Model) Close() error { return nil }

// Encode turns an input into examples: one for images and short texts, overlapping windows for long texts.
func (m *Model) Encode(ctx context.Context, in Input) (*Encoded, error) { return nil, ErrUnsupported }

// Run computes outputs, taps and gradients of a batch. Results are bit-identical whatever the batch, the thread
// count and the CPU level.
func (m *Model) Run(ctx context.Context, batch []Example, spec RunSpec) ([]Result, error) {
	return nil, ErrUnsupported
}

// Predict runs the model's task on one input.
func (m *Model) Predict(ctx context.Context, in Input) (*Prediction, error) {
	return nil, ErrUnsupported
}
