package gguf

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"

	"vitrine/inference/weights"
)

// Llama and its relatives. Mistral's files say llama.
func init() {
	outside := map[string]string{"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
	blocks := map[string]string{
		"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
		"attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
		"ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
	}
	sandwiched := maps.Clone(blocks) // norms on both sides of a block
	maps.Copy(sandwiched, map[string]string{"post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
		"post_ffw_norm": "post_feedforward_layernorm"})
	relative := func(name, modelType, class string, blocks map[string]string, config func(*File, string, dims, map[string]any) error,
		values func(*Tensor, string, dims) (weights.Reader, error)) {
		register(name, architecture{modelType: modelType, class: class, layers: "model.layers.", blocks: blocks, outside: outside, config: config, values: values})
	}
	relative("llama", "llama", "LlamaForCausalLM", blocks, llamaConfig, rotatedHalves)
	relative("qwen2", "qwen2", "Qwen2ForCausalLM", blocks, llamaConfig, nil)
	relative("qwen3", "qwen3", "Qwen3ForCausalLM", blocks, llamaConfig, nil)
	relative("gemma", "gemma", "GemmaForCausalLM", blocks, gemmaConfig, normsMinusOne)
	relative("gemma2", "gemma2", "Gemma2ForCausalLM", sandwiched, gemma2Config, normsMinusOne)
}

func llamaConfig(f *File, arch string, d dims, c map[string]any) error {
	f.number(c, arch+".attention.layer_norm_rms_epsilon", "rms_norm_eps")
	_, biased := f.Tensor("blk.0.attn_q.bias")
	c["attention_bias"] = biased
	f.number(c, arch+".rope.freq_base", "rope_theta")
	if v, ok := f.Int(arch + ".rope.dimension_count"); ok && v != d.width {
		return fmt.Errorf("%w: rotation of %d of %d values of a head", weights.ErrUnsupported, v, d.width)
	}
	kind, _ := f.String(arch + ".rope.scaling.type")
	_, scaled := f.Float(arch + ".rope.scaling.factor")
	switch {
	case kind == "" || kind == "none" || kind == "linear" && !scaled:
	case kind == "linear":
		scaling := map[string]any{"rope_type": "linear"}
		f.number(scaling, arch+".rope.scaling.factor", "factor")
		c["rope_scaling"] = scaling
	default:
		return fmt.Errorf("%w: rope scaling %.20q", weights.ErrUnsupported, kind)
	}
	return f.ropeFactors(arch, d, c)
}

// The settings of Llama 3.1 and 3.2 behind the factors in rope_freqs.weight, which do not name them.
const (
	llama3Low, llama3High, llama3Original = 1.0, 4.0, 8192.0
)

// ropeFactors finds the scaling that the factors of the single frequencies come from.
func (f *File) ropeFactors(arch string, d dims, c map[string]any) error {
	t, ok := f.Tensor("rope_freqs.weight")
	if !ok {
		return nil
	}
	if int64(t.Elements()) != d.width/2 {
		return fmt.Errorf("%w: rope_freqs.weight has %d values for heads of %d", weights.ErrFormat, t.Elements(), d.width)
	}
	factors, err := t.Float32()
	if err != nil {
		return err
	}
	theta, ok := f.Float(arch + ".rope.freq_base")
	if !ok {
		theta = 1e4
	}
	factor := 1.0
	for _, x := range factors {
		factor = max(factor, float64(x))
	}
	for i, x := range factors {
		turns := llama3Original * math.Pow(theta, -2*float64(i)/float64(d.width)) / (2 * math.Pi) // within the original context
		want := factor
		if turns > llama3High {
			want = 1
		} else if turns >= llama3Low {
			smooth := (turns - llama3Low) / (llama3High - llama3Low)
			want = 1 / ((1-smooth)/factor + smooth)
		}
		if !(math.Abs(float64(x)-want) <= 1e-3*want) {
			return fmt.Errorf("%w: frequencies scaled one by one in another way than Llama 3 does (rope_freqs.weight)", weights.ErrUnsupported)
		}
	}
	c["rope_scaling"] = map[string]any{"rope_type": "llama3", "factor": json.Number(fmt.Sprint(float32(factor))), "low_freq_factor": llama3Low,
		"high_freq_factor": llama3High, "original_max_position_embeddings": llama3Original}
	return nil
}

func gemmaConfig(f *File, arch string, d dims, c map[string]any) error {
	c["hidden_activation"] = "gelu_pytorch_tanh"
	return llamaConfig(f, arch, d, c)
}

func gemma2Config(f *File, arch string, d dims, c map[string]any) error {
	if w, ok := f.Int(arch + ".attention.sliding_window"); ok && w > 0 && w <= maxSetting {
		c["sliding_window"] = w
	}
	f.number(c, arch+".attn_logit_softcapping", "attn_logit_softcapping")
	f.number(c, arch+".final_logit_softcapping", "final_logit_softcapping")
	c["query_pre_attn_scalar"] = d.width
	return gemmaConfig(f, arch, d, c)
}

// rotatedHalves reads queries and keys whose rows stand in pairs (0, h/2, 1, h/2+1, ...) in the order of their halves
// (0, 1, ..., h/2, ...), head by head: what rotates neighbours becomes what rotates halves.
func rotatedHalves(t *Tensor, block string, d dims) (weights.Reader, error) {
	heads := d.heads
	switch block {
	case "attn_k":
		heads = d.kv
	case "attn_q":
	default:
		return nil, nil
	}
	return reorder(t, 2*heads, func(rows, row int) int {
		head := rows / int(heads)
		base, i := row/head*head, row%head
		if i < head/2 {
			return base + 2*i
		}
		return base + 2*(i-head/2) + 1
	})
}

// normsMinusOne undoes the one that the file's writer added to the weights of norms.
func normsMinusOne(t *Tensor, _ string, _ dims) (weights.Reader, error) {
	if strings.HasSuffix(t.Name, "norm.weight") {
		return minusOne{t}, nil
	}
	return nil, nil
}

type minusOne struct{ *Tensor }

// ReadFloat32At: see weights.Reader.
func (m minusOne) ReadFloat32At(dst []float32, first int) error {
	err := m.Tensor.ReadFloat32At(dst, first)
	for i := range dst {
		dst[i]--
	}
	return err
}
