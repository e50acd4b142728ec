package explain

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// maxHeader and maxWeights bound the checkpoint files that are rewritten in memory.
const (
	maxHeader  = 64 << 20
	maxWeights = 8 << 30
)

// Rewritten is a checkpoint folder in which the values of some tensors are others. change gives a tensor's new bytes,
// as many as it got, or nil to keep them. Only *.safetensors files are rewritten; they are held in memory.
func Rewritten(fsys fs.FS, change func(name string, width int, data []byte) ([]byte, error)) (fs.FS, error) {
	names, err := fs.Glob(fsys, "*.safetensors")
	if err != nil {
		return nil, fmt.Errorf("explain: listing weights: %w", err)
	}
	out := overlay{FS: fsys, extra: map[string][]byte{}}
	for _, name := range names {
		raw, err := readWeights(fsys, name)
		if err != nil {
			return nil, err
		}
		if err := rewrite(raw, change); err != nil {
			return nil, fmt.Errorf("explain: rewriting %s: %w", name, err)
		}
		out.extra[name] = raw
	}
	return out, nil
}

func readWeights(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("explain: opening weights: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxWeights+1))
	if err != nil {
		return nil, fmt.Errorf("explain: reading weights: %w", err)
	}
	if len(raw) > maxWeights {
		return nil, fmt.Errorf("explain: %s is larger than %d GiB, which is not rewritten in memory: %w", name, maxWeights>>30, inference.ErrUnsupported)
	}
	return raw, nil
}

var elementWidth = map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

// rewrite changes tensors of a safetensors file in place; tensors of whole numbers are left alone.
func rewrite(raw []byte, change func(string, int, []byte) ([]byte, error)) error {
	if len(raw) < 8 {
		return fmt.Errorf("%d bytes are no header: %w", len(raw), inference.ErrModel)
	}
	n := binary.LittleEndian.Uint64(raw)
	if n > maxHeader || n > uint64(len(raw)-8) {
		return fmt.Errorf("a header of %d bytes: %w", n, inference.ErrModel)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:8+n], &header); err != nil {
		return fmt.Errorf("header: %w: %w", err, inference.ErrModel)
	}
	delete(header, "__metadata__")
	data := raw[8+n:]
	for _, name := range sortedKeys(header) {
		var t struct {
			DType   string    `json:"dtype"`
			Offsets [2]uint64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(header[name], &t); err != nil || t.Offsets[0] > t.Offsets[1] || t.Offsets[1] > uint64(len(data)) {
			return fmt.Errorf("tensor %.80q lies outside the file: %w", name, inference.ErrModel)
		}
		width, ok := elementWidth[t.DType]
		if !ok {
			continue
		}
		part := data[t.Offsets[0]:t.Offsets[1]]
		fresh, err := change(name, width, part)
		if err != nil {
			return err
		}
		if fresh != nil && len(fresh) != len(part) {
			return fmt.Errorf("tensor %.80q: %d bytes for %d: %w", name, len(fresh), len(part), inference.ErrModel)
		}
		copy(part, fresh)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Tensors lists the tensors of a safetensors file's bytes with their data; it is what Rewritten sees.
func Tensors(fsys fs.FS) (map[string][]byte, error) {
	out := map[string][]byte{}
	_, err := Rewritten(fsys, func(name string, _ int, data []byte) ([]byte, error) {
		out[name] = data
		return nil, nil
	})
	return out, err
}

// overlay gives some files of a folder other contents.
type overlay struct {
	fs.FS
	extra map[string][]byte
}

func (o overlay) Open(name string) (fs.File, error) {
	if raw, ok := o.extra[name]; ok {
		return &memory{bytes.NewReader(raw), name}, nil
	}
	return o.FS.Open(name)
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

// Sanity is the outcome of the parameter-randomisation check of one method on one model version (Adebayo et al. 2018): how
// much the ranking still resembles the first one while the weights are replaced from the output down. A method whose
// ranking stays shows the input and not the model.
type Sanity struct {
	Method  string        `json:"method"`
	Version string        `json:"version"`
	Digest  string        `json:"digest"` // of the model that was checked
	Steps   []SanityStep  `json:"steps"`
	Figure  metric.Figure `json:"figure"` // id "mprt": mean similarity when every weight is replaced; lower is better
	Passed  bool          `json:"passed"`
}

// SanityStep is the mean over the inputs of Spearman's correlation of the absolute values with the first ones.
type SanityStep struct {
	Replaced string  `json:"replaced"` // what this step replaced: head, a layer's number, embeddings
	Tensors  int     `json:"tensors"`
	Spearman float64 `json:"spearman"`
}

// SanityRequest asks for a check. Checkpoint is the folder the model was opened from, Open opens a folder like it.
type SanityRequest struct {
	Checkpoint fs.FS
	Open       func(fs.FS) (Engine, error)
	Inputs     []inference.Input
	Method     string
	Params     map[string]any
	Target     string // "" fixes the class that the true model predicts
	Seed       uint64
	Progress   func(done, of int) // may be nil
}

// PassingSimilarity is the mean similarity at which a method just passes.
const PassingSimilarity = 0.5

// Randomise makes the check. Weights are shuffled within their tensor, which keeps their distribution; the order is
// fixed by the seed. Errors as for Explain; the error wraps inference.ErrInput where there are no inputs.
func Randomise(ctx context.Context, r SanityRequest) (*Sanity, error) {
	all, err := RandomiseEach(ctx, r, []Ask{{r.Method, r.Params}})
	if err != nil {
		return nil, err
	}
	return all[0].Sanity, all[0].Err
}

// Checked is what the check of one Ask came to.
type Checked struct {
	Sanity *Sanity
	Err    error
}

// RandomiseEach makes the check of several methods, whose random models are made once for all of them. r.Method and r.Params are
// not read. What is wrong with one method is its own error.
func RandomiseEach(ctx context.Context, r SanityRequest, asks []Ask) ([]Checked, error) {
	if len(r.Inputs) == 0 {
		return nil, fmt.Errorf("explain: the randomisation check needs at least one input: %w", inference.ErrInput)
	}
	tensors, err := Tensors(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	stages := cascade(sortedKeys(tensors))
	out := make([]Checked, len(asks))
	for k, a := range asks {
		m, _ := Lookup(a.Method)
		out[k].Sanity = &Sanity{Method: a.Method, Version: m.Version}
	}
	first, err := r.maps(ctx, nil, asks, nil, out)
	if err != nil {
		return nil, err
	}
	last := make([][]float64, len(asks))
	gone := map[string]bool{}
	for step, s := range stages {
		for _, name := range s.names {
			gone[name] = true
		}
		now, err := r.maps(ctx, gone, asks, first, out)
		if err != nil {
			return nil, err
		}
		for k := range asks {
			if out[k].Err != nil {
				continue
			}
			last[k] = last[k][:0]
			for i := range r.Inputs {
				if !metric.Ranks(first[i][k].sizes) {
					continue // there was no ranking to lose
				}
				last[k] = append(last[k], resemblance(first[i][k].sizes, now[i][k].sizes))
			}
			out[k].Sanity.Steps = append(out[k].Sanity.Steps, SanityStep{s.title, len(s.names), metric.Mean(last[k])})
		}
		if r.Progress != nil {
			r.Progress(step+1, len(stages))
		}
	}
	for k := range out {
		if out[k].Err != nil {
			out[k].Sanity = nil
			continue
		}
		if len(last[k]) == 0 {
			out[k] = Checked{Err: fmt.Errorf("explain: %s gives every part of each input the same value, nothing of which could change with the weights: %w", asks[k].Method, ErrUnsuitable)}
			continue
		}
		out[k].Sanity.Figure = metric.Randomisation(last[k], r.Seed)
		out[k].Sanity.Passed = out[k].Sanity.Figure.Value <= PassingSimilarity
	}
	return out, nil
}

// resemblance is Spearman's correlation; what random weights left no values of resembles nothing.
func resemblance(a, b []float64) float64 {
	if len(a) != len(b) {
		return 0
	}
	return metric.Spearman(a, b)
}

// ranking is what one method gave one input: absolute values, and the class explained.
type ranking struct {
	sizes  []float64
	target string
}

// maps explains every input by every method with the named tensors shuffled: rankings by input and ask. Classes are those of
// first, where it is there.
func (r SanityRequest) maps(ctx context.Context, gone map[string]bool, asks []Ask, first [][]ranking, out []Checked) ([][]ranking, error) {
	fsys, err := Rewritten(r.Checkpoint, func(name string, width int, data []byte) ([]byte, error) {
		if !gone[name] {
			return nil, nil
		}
		return shuffled(name, width, data, r.Seed), nil
	})
	if err != nil {
		return nil, err
	}
	engine, err := r.Open(fsys)
	if err != nil {
		return nil, fmt.Errorf("explain: opening the randomised model: %w", err)
	}
	if c, ok := engine.(io.Closer); ok {
		defer c.Close()
	}
	values := make([][]ranking, len(r.Inputs))
	for i, in := range r.Inputs {
		values[i] = make([]ranking, len(asks))
		together := share(engine)
		for k, a := range asks {
			if out[k].Err != nil {
				continue
			}
			if gone == nil {
				out[k].Sanity.Digest = engine.Info().Digest
			}
			target := r.Target
			if target == "" && first != nil {
				target = first[i][k].target
			}
			e, err := Explain(ctx, Request{Model: together, Input: in, Method: a.Method, Params: a.Params, Target: target, Seed: r.Seed, Draws: -1})
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case first != nil && (errors.Is(err, ErrNumber) || errors.Is(err, inference.ErrModel)): // random weights may overflow
			case err != nil:
				out[k].Err = err
			default:
				values[i][k] = ranking{sizes(e), targetName(e.Target)}
			}
		}
	}
	return values, nil
}

// targetName names a target so that a request finds it again.
func targetName(t ExplTarget) string {
	if t.Words > 0 && t.Index < 0 {
		return ""
	}
	if t.Token != nil {
		return strconv.Itoa(*t.Token) + ":" + strconv.Itoa(t.Index)
	}
	return strconv.Itoa(t.Index)
}

// sizes are the absolute values that rank: content tokens, or the map.
func sizes(e *Explanation) []float64 {
	var out []float64
	if e.Map != nil {
		for _, v := range e.Map.Data {
			out = append(out, math.Abs(float64(v)))
		}
		return out
	}
	for t, v := range e.Attributions {
		if !e.Tokens[t].Special {
			out = append(out, math.Abs(v))
		}
	}
	return out
}

// shuffled exchanges the elements of a tensor (Fisher-Yates, seeded by the tensor's name).
func shuffled(name string, width int, data []byte, seed uint64) []byte {
	out := slices.Clone(data)
	d := metric.NewDraw(seed, "randomise "+name)
	var keep [8]byte
	for i := len(out)/width - 1; i > 0; i-- {
		k := d.Below(i + 1)
		a, b := out[i*width:(i+1)*width], out[k*width:(k+1)*width]
		copy(keep[:], a)
		copy(a, b)
		copy(b, keep[:width])
	}
	return out
}

// stage is a group of tensors that are replaced together.
type stage struct {
	title string
	names []string
}

var layerNumber = regexp.MustCompile(`(?:^|\.)(?:layer|layers|stages|h|block|blocks)\.(\d+)\.`)

// cascade orders tensors from the output down: the head, the layers from the last to the first, the embeddings.
func cascade(names []string) []stage {
	byLayer := map[int][]string{}
	const head, embedding = math.MaxInt, -1
	for _, name := range names {
		k := head
		switch m := layerNumber.FindStringSubmatch(name); {
		case m != nil:
			if n, err := strconv.Atoi(m[1]); err == nil {
				k = n
			}
		case strings.Contains(name, "embed") || strings.Contains(name, "wte") || strings.Contains(name, "wpe"):
			k = embedding
		default:
			if n, _, ok := strings.Cut(name, "."); ok { // plain chains: "3.weight"
				if i, err := strconv.Atoi(n); err == nil {
					k = i
				}
			}
		}
		byLayer[k] = append(byLayer[k], name)
	}
	var order []int
	for k := range byLayer {
		order = append(order, k)
	}
	slices.Sort(order)
	slices.Reverse(order)
	var out []stage
	for _, k := range order {
		title := "layer " + strconv.Itoa(k)
		switch k {
		case head:
			title = "head"
		case embedding:
			title = "embeddings"
		}
		out = append(out, stage{title, byLayer[k]})
	}
	return out
}
