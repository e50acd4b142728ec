package gguf

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"vitrine/inference/weights"
)

// architecture says how the files of one model family map onto the hub layout. Each family registers its own from
// init() under the general.architecture of its files.
type architecture struct {
	modelType, class string
	members          map[string]string // names in config.json that differ from llama's
	layers           string            // what the hub calls a block: "model.layers."
	blocks           map[string]string // tensors of a block, without "blk.N." and ".weight"
	outside          map[string]string // the others
	// config adds what only this family has; d holds the checked sizes.
	config func(f *File, arch string, d dims, c map[string]any) error
	// values changes how a tensor of a block is read; block is "" outside of blocks. nil: as it is stored.
	values func(t *Tensor, block string, d dims) (weights.Reader, error)
}

var architectures = map[string]architecture{}

func register(name string, a architecture) {
	if _, twice := architectures[name]; twice || name == "" || a.modelType == "" || a.class == "" || a.layers == "" || a.blocks == nil || a.outside == nil {
		panic("gguf: incomplete or repeated architecture " + name)
	}
	architectures[name] = a
}

// dims are the sizes that mappings need; width is that of a head.
type dims struct{ hidden, heads, kv, width int64 }

// Checkpoint is the model in a file as the hub layout has it: config.json and tensors under their hub names, with rows
// in hub order. Closing the weights closes the file. Errors wrap weights.ErrUnsupported for an architecture or a
// setting that is not mapped, weights.ErrFormat for metadata that is missing or contradicts the tensors.
func (f *File) Checkpoint() (config []byte, w *weights.File, err error) {
	name, _ := f.String("general.architecture")
	a, ok := architectures[name]
	if !ok {
		return nil, nil, fmt.Errorf("gguf: %w: architecture %.40q; this build maps %s", weights.ErrUnsupported, name,
			strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	c, d, err := f.config(name, a)
	if err != nil {
		return nil, nil, fmt.Errorf("gguf: %w", err)
	}
	list, err := f.hubTensors(a, d)
	if err != nil {
		return nil, nil, fmt.Errorf("gguf: %w", err)
	}
	if config, err = json.Marshal(c); err != nil {
		return nil, nil, fmt.Errorf("gguf: %w: the metadata holds a number that is not finite", weights.ErrFormat)
	}
	w, err = weights.Gather(list, f.Close)
	return config, w, err
}

// maxSetting bounds every size of a configuration.
const maxSetting = 1 << 30

// config builds the members of config.json.
func (f *File) config(arch string, a architecture) (map[string]any, dims, error) {
	var d dims
	c := map[string]any{"model_type": a.modelType, "architectures": []string{a.class}, "torch_dtype": "float32"}
	for _, s := range []struct {
		key, member string
		needed      bool
		to          *int64
	}{
		{"context_length", "max_position_embeddings", true, nil}, {"embedding_length", "hidden_size", true, &d.hidden},
		{"block_count", "num_hidden_layers", true, nil}, {"feed_forward_length", "intermediate_size", true, nil},
		{"attention.head_count", "num_attention_heads", true, &d.heads}, {"attention.head_count_kv", "num_key_value_heads", false, &d.kv},
		{"attention.key_length", "head_dim", false, &d.width},
	} {
		key := arch + "." + s.key
		v, ok := f.Int(key)
		if _, given := f.meta[key]; !given && !s.needed {
			continue
		}
		if !ok || v < 1 || v > maxSetting {
			return nil, d, fmt.Errorf("%w: metadata %s is missing or not a number from 1 to %d", weights.ErrFormat, key, maxSetting)
		}
		if name, ok := a.members[s.member]; ok {
			s.member = name
		}
		c[s.member] = v
		if s.to != nil {
			*s.to = v
		}
	}
	if d.kv == 0 {
		d.kv = d.heads
	}
	if d.width == 0 {
		d.width = max(d.hidden/d.heads, 1)
	}
	embed, ok := f.Tensor("token_embd.weight")
	if !ok || len(embed.Shape) != 2 {
		return nil, d, fmt.Errorf("%w: token_embd.weight is missing or not a matrix", weights.ErrFormat)
	}
	c["vocab_size"] = embed.Shape[0]
	if tokens, ok := f.Strings("tokenizer.ggml.tokens"); ok && len(tokens) != embed.Shape[0] {
		return nil, d, fmt.Errorf("%w: the vocabulary has %d tokens, token_embd.weight %d rows; they do not belong together", weights.ErrFormat, len(tokens), embed.Shape[0])
	}
	_, own := f.Tensor("output.weight")
	c["tie_word_embeddings"] = !own
	for member, key := range map[string]string{"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"} {
		if v, ok := f.Int("tokenizer.ggml." + key + "_token_id"); ok {
			c[member] = v
		}
	}
	return c, d, a.config(f, arch, d, c)
}

// number copies a metadata number to a member. It takes a float32's shortest decimal, so that 1e-05 reads as 1e-5 and
// not as its neighbour in float64.
func (f *File) number(c map[string]any, key, member string) {
	v, ok := f.Float(key)
	if !ok {
		return
	}
	raw, err := json.Marshal(float32(v))
	if err != nil {
		raw = []byte("NaN") // refused when the whole is written
	}
	c[member] = json.Number(raw)
}

var blockTensor = regexp.MustCompile(`^blk\.(\d{1,6})\.([a-z0-9_]+)\.(weight|bias)$`)

// given are tensors that a configuration says as well.
var given = map[string]bool{"rope_freqs.weight": true}

// hubTensors names every tensor as the hub does; one without a name there is refused, since leaving it out would
// change the model.
func (f *File) hubTensors(a architecture, d dims) ([]weights.Foreign, error) {
	var out []weights.Foreign
	for _, name := range f.Names() {
		if given[name] {
			continue
		}
		t := f.tensors[name]
		hub, block := a.outside[name], ""
		if m := blockTensor.FindStringSubmatch(name); m != nil {
			if mapped := a.blocks[m[2]]; mapped != "" {
				hub, block = a.layers+m[1]+"."+mapped+"."+m[3], m[2]
			}
		}
		if hub == "" {
			return nil, fmt.Errorf("%w: tensor %.80q has no place in a %s model", weights.ErrUnsupported, name, a.modelType)
		}
		x := weights.Foreign{Name: hub, Shape: t.Shape, Values: t}
		if a.values != nil {
			values, err := a.values(t, block, d)
			if err != nil {
				return nil, err
			}
			if values != nil {
				x.Values = values
			}
		}
		if turned, ok := x.Values.(*transposed); ok {
			x.Shape = []int{turned.Shape[1], turned.Shape[0]}
		}
		out = append(out, x)
	}
	return out, nil
}

// reordered reads rows in another order than they are stored in: at gives the stored row.
type reordered struct {
	*Tensor
	row int // values of a row
	at  func(row int) int
}

// reorder checks that the rows divide into parts of a whole number of rows.
func reorder(t *Tensor, parts int64, at func(rows, row int) int) (weights.Reader, error) {
	rows := 1
	if len(t.Shape) > 0 {
		rows = t.Shape[0]
	}
	if int64(rows)%parts != 0 {
		return nil, fmt.Errorf("%w: %s has %d rows, which do not divide into %d parts", weights.ErrFormat, t.Name, rows, parts)
	}
	return &reordered{t, t.Elements() / rows, func(row int) int { return at(rows, row) }}, nil
}

// ReadFloat32At: see weights.Reader.
func (h *reordered) ReadFloat32At(dst []float32, first int) error {
	for len(dst) > 0 {
		row, skip := first/h.row, first%h.row
		n := min(h.row-skip, len(dst))
		if err := h.Tensor.ReadFloat32At(dst[:n], h.at(row)*h.row+skip); err != nil {
			return err
		}
		dst, first = dst[n:], first+n
	}
	return nil
}

// transposed reads a matrix stored (out,in) as (in,out). It holds the values from the first read until Release.
type transposed struct {
	*Tensor
	mu   sync.Mutex
	data []float32
}

// ReadFloat32At: see weights.Reader.
func (x *transposed) ReadFloat32At(dst []float32, first int) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.data == nil {
		stored, err := x.Tensor.Float32()
		if err != nil {
			return err
		}
		rows, columns := x.Shape[0], x.Shape[1]
		data := make([]float32, len(stored))
		for r := range rows {
			for c := range columns {
				data[c*rows+r] = stored[r*columns+c]
			}
		}
		x.data = data
	}
	if first < 0 || len(dst) > len(x.data)-first {
		return fmt.Errorf("gguf: tensor %q has %d values, not %d from number %d on", x.Name, len(x.data), len(dst), first)
	}
	copy(dst, x.data[first:])
	return nil
}

// Release: see weights.Reader.
func (x *transposed) Release() {
	x.mu.Lock()
	x.data = nil
	x.mu.Unlock()
	x.Tensor.Release()
}
