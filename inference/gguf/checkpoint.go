package gguf

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"vitrine/inference/weights"
)

// architecture says how the files of one model family map onto the hub layout.
type architecture struct {
	modelType, class string
	names            map[string]string // of the tensors of a block, without "blk.N."
	interleaved      bool              // rows of queries and keys stand in pairs (rotate neighbours)
	normPlusOne      bool              // norm weights are stored with one added
	config           func(f *File, p string, c map[string]any) error
}

// blockNames are the tensors that llama and its relatives share.
var blockNames = map[string]string{
	"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
	"attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
	"ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}

// gemma2Names has norms on both sides of a block.
var gemma2Names = merged(blockNames, map[string]string{"post_attention_norm": "post_attention_layernorm",
	"ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm"})

func merged(a, b map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// architectures by general.architecture. Mistral's files say llama.
var architectures = map[string]architecture{
	"llama":  {modelType: "llama", class: "LlamaForCausalLM", names: blockNames, interleaved: true},
	"qwen2":  {modelType: "qwen2", class: "Qwen2ForCausalLM", names: blockNames},
	"qwen3":  {modelType: "qwen3", class: "Qwen3ForCausalLM", names: blockNames},
	"gemma":  {modelType: "gemma", class: "GemmaForCausalLM", names: blockNames, normPlusOne: true, config: gemmaConfig},
	"gemma2": {modelType: "gemma2", class: "Gemma2ForCausalLM", names: gemma2Names, normPlusOne: true, config: gemma2Config},
}

// Checkpoint is the model in a file as the hub layout has it: config.json and tensors under their hub names, with rows
// in hub order. Closing the weights closes the file. Errors wrap weights.ErrUnsupported for an architecture or a
// setting that is not mapped, weights.ErrFormat for metadata that is missing or contradicts the tensors.
func (f *File) Checkpoint() (config []byte, w *weights.File, err error) {
	name, _ := f.String("general.architecture")
	a, ok := architectures[name]
	if !ok {
		return nil, nil, fmt.Errorf("gguf: %w: architecture %.40q; this build maps %s", weights.ErrUnsupported, name, strings.Join(architectureNames(), ", "))
	}
	c, err := f.config(name, a)
	if err != nil {
		return nil, nil, fmt.Errorf("gguf: %w", err)
	}
	list, err := f.hubTensors(a, c)
	if err != nil {
		return nil, nil, fmt.Errorf("gguf: %w", err)
	}
	if config, err = json.Marshal(c); err != nil {
		return nil, nil, fmt.Errorf("gguf: %w: the metadata holds a number that is not finite", weights.ErrFormat)
	}
	w, err = weights.Gather(list, f.Close)
	return config, w, err
}

func architectureNames() []string {
	var out []string
	for n := range architectures {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// maxSetting bounds every size of a configuration.
const maxSetting = 1 << 30

// config builds the members of config.json.
func (f *File) config(arch string, a architecture) (map[string]any, error) {
	c := map[string]any{"model_type": a.modelType, "architectures": []string{a.class}, "torch_dtype": "float32"}
	sizes := []struct {
		key, member string
		needed      bool
	}{
		{"context_length", "max_position_embeddings", true}, {"embedding_length", "hidden_size", true}, {"block_count", "num_hidden_layers", true},
		{"feed_forward_length", "intermediate_size", true}, {"attention.head_count", "num_attention_heads", true},
		{"attention.head_count_kv", "num_key_value_heads", false}, {"attention.key_length", "head_dim", false},
	}
	for _, s := range sizes {
		v, ok := f.Int(arch + "." + s.key)
		if _, given := f.meta[arch+"."+s.key]; !given && !s.needed {
			continue
		}
		if !ok || v < 1 || v > maxSetting {
			return nil, fmt.Errorf("%w: metadata %s.%s is missing or not a number from 1 to %d", weights.ErrFormat, arch, s.key, maxSetting)
		}
		c[s.member] = v
	}
	if v, ok := f.Float(arch + ".attention.layer_norm_rms_epsilon"); ok {
		c["rms_norm_eps"] = shortest(v)
	}
	if err := f.rope(arch, c); err != nil {
		return nil, err
	}
	embed, ok := f.Tensor("token_embd.weight")
	if !ok || len(embed.Shape) != 2 {
		return nil, fmt.Errorf("%w: token_embd.weight is missing or not a matrix", weights.ErrFormat)
	}
	c["vocab_size"] = embed.Shape[0]
	if tokens, ok := f.Strings("tokenizer.ggml.tokens"); ok && len(tokens) != embed.Shape[0] {
		return nil, fmt.Errorf("%w: the vocabulary has %d tokens, token_embd.weight %d rows; they do not belong together", weights.ErrFormat, len(tokens), embed.Shape[0])
	}
	_, own := f.Tensor("output.weight")
	c["tie_word_embeddings"] = !own
	_, biased := f.Tensor("blk.0.attn_q.bias")
	c["attention_bias"] = biased
	for member, key := range map[string]string{"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"} {
		if v, ok := f.Int("tokenizer.ggml." + key + "_token_id"); ok {
			c[member] = v
		}
	}
	if a.config != nil {
		return c, a.config(f, arch, c)
	}
	return c, nil
}

// shortest takes a float32's shortest decimal, so that 1e-05 reads as 1e-5 and not as its neighbour in float64.
func shortest(v float64) json.Number {
	raw, err := json.Marshal(float32(v))
	if err != nil {
		return json.Number("NaN") // refused by the caller's Marshal
	}
	return json.Number(raw)
}

// rope reads how positions are rotated.
func (f *File) rope(arch string, c map[string]any) error {
	if v, ok := f.Float(arch + ".rope.freq_base"); ok {
		c["rope_theta"] = shortest(v)
	}
	if _, ok := f.Tensor("rope_freqs.weight"); ok {
		return fmt.Errorf("%w: frequencies scaled one by one (rope_freqs.weight)", weights.ErrUnsupported)
	}
	kind, _ := f.String(arch + ".rope.scaling.type")
	factor, scaled := f.Float(arch + ".rope.scaling.factor")
	switch {
	case kind == "" || kind == "none" || kind == "linear" && !scaled:
	case kind == "linear":
		c["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": shortest(factor)}
	default:
		return fmt.Errorf("%w: rope scaling %.20q", weights.ErrUnsupported, kind)
	}
	width := int64(0)
	if v, ok := c["head_dim"].(int64); ok {
		width = v
	} else if c["hidden_size"].(int64)%c["num_attention_heads"].(int64) == 0 {
		width = c["hidden_size"].(int64) / c["num_attention_heads"].(int64)
	}
	if v, ok := f.Int(arch + ".rope.dimension_count"); ok && v != width {
		return fmt.Errorf("%w: rotation of %d of %d values of a head", weights.ErrUnsupported, v, width)
	}
	return nil
}

func gemmaConfig(_ *File, _ string, c map[string]any) error {
	c["hidden_activation"] = "gelu_pytorch_tanh"
	return nil
}

func gemma2Config(f *File, p string, c map[string]any) error {
	c["hidden_activation"] = "gelu_pytorch_tanh"
	if w, ok := f.Int(p + ".attention.sliding_window"); ok && w > 0 && w <= maxSetting {
		c["sliding_window"] = w
	}
	for key, member := range map[string]string{"attn_logit_softcapping": "attn_logit_softcapping", "final_logit_softcapping": "final_logit_softcapping"} {
		if v, ok := f.Float(p + "." + key); ok {
			c[member] = shortest(v)
		}
	}
	c["query_pre_attn_scalar"] = c["head_dim"]
	return nil
}

var blockTensor = regexp.MustCompile(`^blk\.(\d{1,6})\.([a-z0-9_]+)\.(weight|bias)$`)

var outside = map[string]string{"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}

// hubTensors names every tensor as the hub does; one without a name there is refused, since leaving it out would
// change the model.
func (f *File) hubTensors(a architecture, c map[string]any) ([]weights.Foreign, error) {
	var out []weights.Foreign
	for _, name := range f.Names() {
		t := f.tensors[name]
		hub, block := outside[name], ""
		if m := blockTensor.FindStringSubmatch(name); m != nil {
			if mapped := a.names[m[2]]; mapped != "" {
				hub, block = "model.layers."+m[1]+"."+mapped+"."+m[3], m[2]
			}
		}
		if hub == "" {
			return nil, fmt.Errorf("%w: tensor %.80q has no place in a %s model", weights.ErrUnsupported, name, a.modelType)
		}
		var values weights.Reader = t
		if a.interleaved && (block == "attn_q" || block == "attn_k") {
			heads := c["num_attention_heads"].(int64)
			if kv, ok := c["num_key_value_heads"].(int64); ok && block == "attn_k" {
				heads = kv
			}
			rows := int64(1)
			if len(t.Shape) > 0 {
				rows = int64(t.Shape[0])
			}
			if rows%heads != 0 || rows/heads%2 != 0 {
				return nil, fmt.Errorf("%w: %s has %d rows for %d heads", weights.ErrFormat, name, rows, heads)
			}
			values = &halves{t, int(rows / heads), t.Elements() / int(rows)}
		}
		if a.normPlusOne && strings.HasSuffix(name, "norm.weight") {
			values = minusOne{t}
		}
		out = append(out, weights.Foreign{Name: hub, Shape: t.Shape, Values: values})
	}
	return out, nil
}

// halves reads rows that stand in pairs (0, h/2, 1, h/2+1, ...) in the order of their halves (0, 1, ..., h/2, ...),
// head by head: what rotates neighbours becomes what rotates halves.
type halves struct {
	*Tensor
	head int // rows of a head
	row  int // values of a row
}

// ReadFloat32At: see weights.Reader.
func (h *halves) ReadFloat32At(dst []float32, first int) error {
	for len(dst) > 0 {
		row, skip := first/h.row, first%h.row
		n := min(h.row-skip, len(dst))
		base, i := row/h.head*h.head, row%h.head
		stored := base + 2*i
		if i >= h.head/2 {
			stored = base + 2*(i-h.head/2) + 1
		}
		if err := h.Tensor.ReadFloat32At(dst[:n], stored*h.row+skip); err != nil {
			return err
		}
		dst, first = dst[n:], first+n
	}
	return nil
}

// minusOne undoes the one that the file's writer added.
type minusOne struct{ *Tensor }

// ReadFloat32At: see weights.Reader.
func (m minusOne) ReadFloat32At(dst []float32, first int) error {
	err := m.Tensor.ReadFloat32At(dst, first)
	for i := range dst {
		dst[i]--
	}
	return err
}
