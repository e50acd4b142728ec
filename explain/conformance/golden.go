// Package conformance compares explanations with golden references: what Captum, grad-cam and the published
// formulas give on small checkpoints (format: README.md beside the references). It registers itself as the runner
// of folders that hold such cases.
package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"vitrine/inference"
	"vitrine/inference/weights"
)

// errUnsupported marks a comparison that this program does not make; its text says why.
var errUnsupported = errors.New("unsupported")

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUnsupported, fmt.Sprintf(format, args...))
}

// maxCases bounds the size of cases.json.
const maxCases = 64 << 20

// golden is one cases.json.
type golden struct {
	Family       string           `json:"family"`
	Architecture string           `json:"architecture"`
	Special      map[string]int32 `json:"special_ids"`
	Checkpoint   string           `json:"checkpoint"`
	Cases        []goldenCase     `json:"cases"`
}

type goldenCase struct {
	Name     string                     `json:"name"`
	Method   string                     `json:"method"`
	Input    goldenInput                `json:"input"`
	Target   *goldenTarget              `json:"target"`
	Layer    string                     `json:"layer"`
	Profile  string                     `json:"profile"`
	Params   map[string]json.RawMessage `json:"params"`
	Inner    map[string]json.RawMessage `json:"inner"`
	Baseline *goldenBaseline            `json:"baseline"`
	Expect   []string                   `json:"expect"`
	Float32  map[string]json.RawMessage `json:"float32_error"`
}

type tensorRef struct {
	Tensor string `json:"tensor"`
}

type goldenInput struct {
	IDs    [][]int32  `json:"input_ids"`
	Mask   [][]int32  `json:"attention_mask"`
	Types  [][]int32  `json:"token_type_ids"`
	Pixels *tensorRef `json:"pixel_values"`
	// Features are rows of numbers for a chain of plain layers.
	Features *tensorRef `json:"features"`
	Row      *int       `json:"row"`
	Prompt   int        `json:"prompt_length"`
	// Decoder is what an encoder-decoder has written so far.
	Decoder [][]int32 `json:"decoder_input_ids"`
	// Corrupted is what the input is patched into.
	Corrupted [][]int32 `json:"corrupted_input_ids"`
}

type goldenTarget struct {
	Kind  string `json:"kind"`
	Index int    `json:"index"`
	Minus *int   `json:"minus"`
}

type goldenBaseline struct {
	Name   string      `json:"name"`
	IDs    [][]int32   `json:"input_ids"`
	Tensor string      `json:"tensor"`
	Either [][]float64 `json:"tensor_or_ids"`
	Value  *float32    `json:"value"` // of every number of the embedding
}

// folder is an opened golden folder.
type folder struct {
	golden
	tensors *weights.File
	model   *inference.Model
	info    inference.Info
	// fsys is the folder, checkpoint the one in it that holds the weights.
	fsys, checkpoint fs.FS
	pooled           bool // a maximum stands directly behind a ReLU
}

// openFolder reads cases and tensors and loads the checkpoint. An error that wraps inference.ErrUnsupported means
// that the engine does not run the checkpoint.
func openFolder(fsys fs.FS) (*folder, error) {
	f := &folder{}
	raw, err := readLimited(fsys, "cases.json", maxCases)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &f.golden); err != nil {
		return nil, fmt.Errorf("conformance: reading cases.json: %w", err)
	}
	if f.Checkpoint == "" || !fs.ValidPath(f.Checkpoint) {
		return nil, fmt.Errorf("conformance: cases.json names no checkpoint: %w", inference.ErrModel)
	}
	sub, err := fs.Sub(fsys, f.Checkpoint)
	if err != nil {
		return nil, fmt.Errorf("conformance: opening the checkpoint: %w", err)
	}
	f.fsys, f.checkpoint, f.pooled = fsys, sub, poolBehindReLU(sub)
	if f.model, err = inference.OpenFS(sub, f.Family); err != nil {
		return f, err
	}
	if f.tensors, err = weights.Open(fsys, "expected.safetensors"); err != nil {
		return nil, fmt.Errorf("conformance: reading expected values: %w", err)
	}
	f.info = f.model.Info()
	special := func(name string, at *int32) {
		if id, ok := f.Special[name]; ok {
			*at = id
		}
	}
	special("pad", &f.info.SpecialIDs.Pad)
	special("cls", &f.info.SpecialIDs.CLS)
	special("sep", &f.info.SpecialIDs.Sep)
	special("mask", &f.info.SpecialIDs.Mask)
	return f, nil
}

// poolBehindReLU says whether a plain chain of layers has a maximum directly behind a ReLU, where Captum loses a rule.
func poolBehindReLU(fsys fs.FS) bool {
	var c struct {
		Layers []struct {
			Type string `json:"type"`
		} `json:"layers"`
	}
	raw, err := readLimited(fsys, "config.json", maxCases)
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return false
	}
	for i := 1; i < len(c.Layers); i++ {
		if c.Layers[i-1].Type == "relu" && c.Layers[i].Type == "maxpool2d" {
			return true
		}
	}
	return false
}

func (f *folder) close() {
	if f.tensors != nil {
		f.tensors.Close()
	}
	if f.model != nil {
		f.model.Close()
	}
}

func readLimited(fsys fs.FS, name string, limit int64) ([]byte, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("conformance: opening %s: %w", name, err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("conformance: reading %s: %w", name, err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("conformance: %s is larger than %d bytes: %w", name, limit, inference.ErrModel)
	}
	return raw, nil
}

// values are the numbers of a tensor with its shape; integers come as float64, which holds them exactly.
type values struct {
	shape []int
	data  []float64
}

func (f *folder) tensor(name string) (values, error) {
	t, ok := f.tensors.Tensor(name)
	if !ok {
		return values{}, fmt.Errorf("conformance: expected.safetensors has no tensor %q: %w", name, inference.ErrModel)
	}
	v := values{shape: slices.Clone(t.Shape)}
	if t.DType == "I64" {
		whole, err := t.Int64()
		if err != nil {
			return values{}, err
		}
		for _, n := range whole {
			v.data = append(v.data, float64(n))
		}
		return v, nil
	}
	var err error
	v.data, err = t.Float64()
	return v, err
}

// allowedError is the recorded error of the reference library's own float32 run; text instead of a number means that
// none is recorded.
func (c *goldenCase) allowedError(what string) float64 {
	var e float64
	if json.Unmarshal(c.Float32[what], &e) != nil {
		return 0
	}
	return e
}

// param reads a parameter into a value; false where the case has none or of another type.
func (c *goldenCase) param(name string, into any) bool {
	raw, ok := c.Params[name]
	return ok && json.Unmarshal(raw, into) == nil
}
