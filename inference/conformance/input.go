package conformance

import (
	"context"
	"encoding/json"
	"fmt"

	"vitrine/inference"
)

// examples turns a case's input into network inputs. What the case expects of
// the tokenizer or image processor is compared here; the network then gets the
// expected ids and pixels, so that one difference is not reported twice.
func (m *family) examples(ctx context.Context, name string, c *familyCase) ([]example, error) {
	switch {
	case c.Input["input_ids"] != nil:
		return c.ids()
	case c.Input["text"] != nil:
		return m.text(ctx, name, c)
	case c.Input["image"] != nil:
		var file string
		if err := json.Unmarshal(c.Input["image"], &file); err != nil {
			return nil, fmt.Errorf("input image: %w", err)
		}
		return m.pictures(ctx, name, c, []string{file})
	case c.Input["images"] != nil:
		var files []string
		if err := json.Unmarshal(c.Input["images"], &files); err != nil {
			return nil, fmt.Errorf("input images: %w", err)
		}
		return m.pictures(ctx, name, c, files)
	}
	return nil, fmt.Errorf("this kind of input: %w", inference.ErrUnsupported)
}

// knownIDs are the keys that an input of ids may have.
// position_ids
// say where padding begins, which the mask says too: real tokens count from 0.
var knownIDs = map[string]bool{"input_ids": true, "attention_mask": true, "token_type_ids": true, "position_ids": true, "decoder_input_ids": true}

// ids reads a padded batch.
func (c *familyCase) ids() ([]example, error) {
	for key := range c.Input {
		if !knownIDs[key] {
			return nil, fmt.Errorf("input %q: %w", key, inference.ErrUnsupported)
		}
	}
	read := func(key string) ([][]int32, error) {
		var rows [][]int32
		if raw := c.Input[key]; raw != nil {
			if err := json.Unmarshal(raw, &rows); err != nil {
				return nil, fmt.Errorf("input %s: %w", key, err)
			}
		}
		return rows, nil
	}
	ids, err := read("input_ids")
	if err != nil {
		return nil, err
	}
	mask, err := read("attention_mask")
	if err != nil {
		return nil, err
	}
	types, err := read("token_type_ids")
	if err != nil {
		return nil, err
	}
	decoder, err := read("decoder_input_ids")
	if err != nil {
		return nil, err
	}
	var out []example
	for b, row := range ids {
		var e example
		if b < len(decoder) {
			e.Decoder = decoder[b]
		}
		for t, id := range row {
			if b < len(mask) && t < len(mask[b]) && mask[b][t] == 0 {
				continue
			}
			if e.IDs == nil {
				e.before = t
			}
			e.IDs, e.real = append(e.IDs, id), append(e.real, t)
			if b < len(types) && t < len(types[b]) {
				e.Types = append(e.Types, types[b][t])
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// text encodes the input and compares ids, types and mask with the expected.
func (m *family) text(ctx context.Context, name string, c *familyCase) ([]example, error) {
	var in inference.Input
	if err := json.Unmarshal(c.Input["text"], &in.Text); err != nil {
		return nil, fmt.Errorf("input text: %w", err)
	}
	if raw := c.Input["pair"]; raw != nil {
		if err := json.Unmarshal(raw, &in.Pair); err != nil {
			return nil, fmt.Errorf("input pair: %w", err)
		}
	}
	encoded, err := m.model.Encode(ctx, in)
	if err != nil {
		return nil, err
	}
	got := encoded.Windows[0].Example
	types := got.Types
	if types == nil {
		types = make([]int32, len(got.IDs))
	}
	e := example{Example: inference.Example{Types: types}}
	for _, what := range c.Expect {
		have := map[string][]int32{"input_ids": got.IDs, "token_type_ids": types, "attention_mask": ones(len(got.IDs))}[what]
		if have == nil {
			continue
		}
		want, err := expected(m.tensors, c.Name+"/"+what)
		if err != nil {
			return nil, err
		}
		m.emit(Exactly(name, what, floats(have), want.data))
		if what == "input_ids" {
			e.IDs = integers(want.data)
		} else if what == "token_type_ids" {
			e.Types = integers(want.data)
		}
	}
	if e.IDs == nil {
		e.IDs = got.IDs
	}
	for t := range e.IDs {
		e.real = append(e.real, t)
	}
	return []example{e}, nil
}

func ones(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

func integers(x []float64) []int32 {
	out := make([]int32, len(x))
	for i, v := range x {
		out[i] = int32(v)
	}
	return out
}

// pictures processes the input and compares the pixels with the expected.
func (m *family) pictures(ctx context.Context, name string, c *familyCase, files []string) ([]example, error) {
	var out []example
	for _, file := range files {
		raw, err := m.read(file)
		if err != nil {
			return nil, err
		}
		encoded, err := m.model.Encode(ctx, inference.Input{Image: raw})
		if err != nil {
			return nil, err
		}
		out = append(out, example{Example: encoded.Windows[0].Example})
	}
	for _, what := range c.Expect {
		if what != "pixel_values" {
			continue
		}
		want, err := expected(m.tensors, c.Name+"/"+what)
		if err != nil {
			return nil, err
		}
		var got []float64
		for _, e := range out {
			got = append(got, floats(e.Pixels)...)
		}
		m.emit(Values(name, what, got, want.data, c.Float32[what]))
		if len(got) != len(want.data) {
			return nil, fmt.Errorf("the processor gives %d pixel values, the reference %d", len(got), len(want.data))
		}
		for i := range out {
			n := len(out[i].Pixels)
			out[i].Pixels = make([]float32, n)
			for j := range n {
				out[i].Pixels[j] = float32(want.data[i*n+j])
			}
		}
	}
	return out, nil
}
