package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"vitrine/inference"
	"vitrine/inference/weights"
)

func init() {
	Register(Group{Name: "family", Match: isFamily, Run: runFamily})
}

// isFamily: a checkpoint lies beside the cases.
func isFamily(f Folder) bool {
	_, err := fs.Stat(f.FS, "config.json")
	return f.Cases != nil && err == nil
}

// familyCase is one case of cases.json.
type familyCase struct {
	Name   string                     `json:"name"`
	Task   string                     `json:"task"`
	Input  map[string]json.RawMessage `json:"input"`
	Expect []string                   `json:"expect"`
	Target *struct {
		Index []json.RawMessage `json:"index"`
		Other []json.RawMessage `json:"index_other"`
	} `json:"target"`
	Float32    map[string]float64 `json:"float32_error"`
	Generation json.RawMessage    `json:"generation"`
}

// family is an opened folder with its model.
type family struct {
	model   *inference.Model
	info    inference.Info
	tensors *weights.File
	fsys    fs.FS
	emit    func(Comparison)
	// logitsError is the largest error of the folder's float32 logits.
	logitsError float64
}

func runFamily(ctx context.Context, f Folder, emit func(Comparison)) error {
	var doc struct {
		Cases []familyCase `json:"cases"`
	}
	if err := json.Unmarshal(f.Cases, &doc); err != nil {
		return err
	}
	model, err := inference.OpenFS(f.FS, f.Path)
	if errors.Is(err, inference.ErrUnsupported) {
		emit(unsupported(f.Path, f.Head.Architecture, err.Error()))
		return nil
	} else if err != nil {
		emit(failed(f.Path, f.Head.Architecture, err))
		return nil
	}
	defer model.Close()
	tensors, err := weights.Open(f.FS, "expected.safetensors")
	if err != nil {
		return err
	}
	defer tensors.Close()
	m := &family{model: model, info: model.Info(), tensors: tensors, fsys: f.FS, emit: emit}
	for i := range doc.Cases {
		m.logitsError = max(m.logitsError, doc.Cases[i].Float32["logits"])
	}
	for i := range doc.Cases {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := &doc.Cases[i]
		name := f.Path + "/" + c.Name
		err := m.run(ctx, name, c)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, inference.ErrUnsupported):
			emit(unsupported(name, c.Task, err.Error()))
		default:
			emit(failed(name, c.Task, err))
		}
	}
	return nil
}

// example is one row of a case's batch: the network's input, and the places of
// its real tokens in the padded batch.
type example struct {
	inference.Example
	real   []int
	before int // places of padding before the first real token
}

func (m *family) run(ctx context.Context, name string, c *familyCase) error {
	if done, err := m.generates(ctx, name, c); done {
		return err
	}
	examples, err := m.examples(ctx, name, c)
	if err != nil {
		return err
	}
	results := make([]inference.Result, len(examples))
	for b := range examples {
		if err := m.shift(ctx, &examples[b]); err != nil {
			return err
		}
		spec := m.spec(c)
		if c.Target != nil {
			if spec.Target, err = c.target(b); err != nil {
				return err
			}
		} else {
			spec.Wrt = nil
		}
		got, err := m.model.Run(ctx, []inference.Example{examples[b].Example}, spec)
		if err != nil {
			return err
		}
		results[b] = got[0]
	}
	for _, what := range c.Expect {
		if inputs[what] {
			continue
		}
		m.emit(m.compare(name, what, c, examples, results))
	}
	if len(examples) > 1 {
		return m.compareBatch(ctx, name, examples, results)
	}
	return nil
}

// countsPadding are the families whose reference gives padding in front of a
// text positions of its own, which shifts those of the text.
var countsPadding = map[string]bool{"bart": true, "marian": true}

// shift moves an example's tokens behind its padding's positions, where the
// reference does so: the first hidden state is taken from a longer text.
func (m *family) shift(ctx context.Context, e *example) error {
	if e.before == 0 || !countsPadding[m.info.Family] {
		return nil
	}
	tap := m.info.Taps.Hidden[0]
	longer := inference.Example{IDs: append(make([]int32, e.before), e.IDs...)}
	got, err := m.model.Run(ctx, []inference.Example{longer}, inference.RunSpec{Taps: []string{tap}})
	if err != nil {
		return err
	}
	t := got[0].Taps[tap]
	d := t.Shape[1]
	e.Patch = map[string]inference.Tensor{tap: {Shape: []int{len(e.IDs), d}, Data: t.Data[e.before*d:]}}
	return nil
}

// inputs are the expected values that examples compares.
var inputs = map[string]bool{"input_ids": true, "attention_mask": true, "token_type_ids": true, "pixel_values": true}

// compareBatch holds the batched outputs against those of single runs: the
// same bits (this program's own promise, not the reference's).
func (m *family) compareBatch(ctx context.Context, name string, examples []example, alone []inference.Result) error {
	batch := make([]inference.Example, len(examples))
	for b := range examples {
		batch[b] = examples[b].Example
	}
	results, err := m.model.Run(ctx, batch, inference.RunSpec{})
	if err != nil {
		return err
	}
	var got, want []float32
	for b := range results {
		got, want = append(got, results[b].Output.Data...), append(want, alone[b].Output.Data...)
	}
	m.emit(Exactly(name, "output in a batch", got, want))
	return nil
}

// tap is the engine's name of an expected value, "" for none. Gradients carry
// the name of the value that they belong to.
func (m *family) tap(what string) string {
	kind, number, _ := strings.Cut(what, ".")
	at := func(list []string) string {
		if i, err := strconv.Atoi(number); err == nil && i >= 0 && i < len(list) {
			return list[i]
		}
		return ""
	}
	switch {
	case kind == "encoder_hidden_states":
		return at(m.info.Taps.Hidden)
	case kind == "encoder_attentions":
		return at(m.info.Taps.Attentions)
	case kind == "decoder_hidden_states":
		return at(m.info.Taps.DecoderHidden)
	case kind == "decoder_attentions":
		return at(m.info.Taps.DecoderAttentions)
	case kind == "cross_attentions":
		return at(m.info.Taps.CrossAttentions)
	case what == "decoder_embeddings":
		return m.info.Taps.DecoderEmbeddings
	case kind == "hidden_states":
		return at(m.info.Taps.Hidden)
	case kind == "attentions":
		return at(m.info.Taps.Attentions)
	case what == "embeddings":
		return m.info.Taps.Embeddings
	case what == "pixel_values":
		return m.info.Taps.Pixels
	case what == "feature_map" && len(m.info.Taps.Features) > 0:
		return m.info.Taps.Features[len(m.info.Taps.Features)-1]
	}
	return ""
}

// spec asks for every value that the case expects and the model has.
func (m *family) spec(c *familyCase) inference.RunSpec {
	var s inference.RunSpec
	for _, what := range c.Expect {
		if of, ok := strings.CutPrefix(what, "grad."); ok {
			if t := m.tap(of); t != "" {
				s.Wrt = append(s.Wrt, t)
			}
		} else if t := m.tap(what); t != "" && !inputs[what] {
			s.Taps = append(s.Taps, t)
		}
	}
	slices.Sort(s.Taps)
	s.Taps = slices.Compact(s.Taps)
	return s
}

// target is the target of example b. The index of a picture or of a generated
// text names the batch entry first; that of another text is one entry a row.
func (c *familyCase) target(b int) (*inference.Target, error) {
	if strings.HasPrefix(c.Task, "image-") || strings.HasSuffix(c.Task, "-generation") {
		index, err := entry(c.Target.Index, b)
		if err != nil || c.Target.Other == nil {
			return &inference.Target{Index: index}, err
		}
		// The logarithms of two probabilities differ as their logits do.
		other, err := entry(c.Target.Other, b)
		return &inference.Target{Index: index, Quantity: "diff", Minus: other}, err
	}
	if b >= len(c.Target.Index) {
		return nil, fmt.Errorf("target of example %d is missing", b)
	}
	var index []int
	if err := json.Unmarshal(c.Target.Index[b], &index); err != nil {
		var one int
		if err := json.Unmarshal(c.Target.Index[b], &one); err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		index = []int{one}
	}
	return &inference.Target{Index: index}, nil
}

// entry reads an index that names the batch entry b first.
func entry(list []json.RawMessage, b int) ([]int, error) {
	var index []int
	for _, raw := range list {
		var i int
		if err := json.Unmarshal(raw, &i); err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		index = append(index, i)
	}
	if len(index) < 2 || index[0] != b {
		return nil, fmt.Errorf("target %v of batch entry %d", index, b)
	}
	return index[1:], nil
}

// compare holds one expected value against what the engine gave, over all
// examples of the batch.
func (m *family) compare(name, what string, c *familyCase, examples []example, results []inference.Result) Comparison {
	want, err := expected(m.tensors, c.Name+"/"+what)
	if err != nil {
		return failed(name, what, err)
	}
	var got, sure []float64
	for b, r := range results {
		value, axes, ok := m.value(what, want, r)
		if !ok {
			return unsupported(name, what, "the engine has no such value")
		}
		row, err := want.row(b, examples[b].real, axes...)
		if err != nil {
			return failed(name, what, err)
		}
		got, sure = append(got, value...), append(sure, row.data...)
	}
	return Values(name, what, got, sure, c.Float32[what])
}

// value finds an expected value in a result, with the axes of the expected
// tensor that count tokens.
func (m *family) value(what string, want tensor, r inference.Result) (got []float64, tokenAxes []int, ok bool) {
	// Decoder positions are all real; encoder values are expected of unpadded batches only.
	text := m.info.Modality == "text" && m.info.Taps.DecoderHidden == nil
	switch what {
	case "logits":
		if text && len(want.shape) == 3 {
			tokenAxes = []int{1}
		}
		return floats(r.Output.Data), tokenAxes, true
	case "embedding":
		return floats(r.Output.Data), nil, true
	case "start_logits", "end_logits":
		half := len(r.Output.Data) / 2
		if what == "start_logits" {
			return floats(r.Output.Data[:half]), []int{1}, true
		}
		return floats(r.Output.Data[half:]), []int{1}, true
	case "target_value":
		return []float64{r.Value}, nil, true
	}
	from := r.Taps
	of, gradient := strings.CutPrefix(what, "grad.")
	if gradient {
		from = r.Grads
	}
	t, ok := from[m.tap(of)]
	if !ok {
		return nil, nil, false
	}
	if text {
		if tokenAxes = []int{1}; strings.HasPrefix(of, "attentions.") {
			tokenAxes = []int{2, 3}
		}
	}
	return floats(t.Data), tokenAxes, true
}

// read is a file of the folder, whatever path the case writes before its name.
func (m *family) read(name string) ([]byte, error) { return fs.ReadFile(m.fsys, path.Base(name)) }
