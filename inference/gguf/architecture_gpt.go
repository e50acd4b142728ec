package gguf

import (
	"fmt"

	"vitrine/inference/weights"
)

func init() {
	register("gpt2", architecture{modelType: "gpt2", class: "GPT2LMHeadModel", layers: "transformer.h.",
		members: map[string]string{"max_position_embeddings": "n_positions", "hidden_size": "n_embd", "num_hidden_layers": "n_layer",
			"intermediate_size": "n_inner", "num_attention_heads": "n_head"},
		blocks: map[string]string{"attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2",
			"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"},
		outside: map[string]string{"token_embd.weight": "transformer.wte.weight", "position_embd.weight": "transformer.wpe.weight",
			"output_norm.weight": "transformer.ln_f.weight", "output_norm.bias": "transformer.ln_f.bias", "output.weight": "lm_head.weight"},
		config: func(f *File, arch string, _ dims, c map[string]any) error {
			c["activation_function"] = "gelu_new"
			f.number(c, arch+".attention.layer_norm_epsilon", "layer_norm_epsilon")
			return nil
		},
		values: func(t *Tensor, block string, _ dims) (weights.Reader, error) {
			switch block { // the hub stores these (in,out)
			case "attn_qkv", "attn_output", "ffn_up", "ffn_down":
				if len(t.Shape) == 2 {
					return &transposed{Tensor: t}, nil
				}
			}
			return nil, nil
		}})
	register("gptneox", architecture{modelType: "gpt_neox", class: "GPTNeoXForCausalLM", layers: "gpt_neox.layers.",
		blocks: map[string]string{"attn_norm": "input_layernorm", "attn_qkv": "attention.query_key_value", "attn_output": "attention.dense",
			"ffn_norm": "post_attention_layernorm", "ffn_up": "mlp.dense_h_to_4h", "ffn_down": "mlp.dense_4h_to_h"},
		outside: map[string]string{"token_embd.weight": "gpt_neox.embed_in.weight", "output_norm.weight": "gpt_neox.final_layer_norm.weight",
			"output_norm.bias": "gpt_neox.final_layer_norm.bias", "output.weight": "embed_out.weight"},
		config: neoxConfig, values: besideHeads})
}

func neoxConfig(f *File, arch string, d dims, c map[string]any) error {
	f.number(c, arch+".attention.layer_norm_epsilon", "layer_norm_eps")
	f.number(c, arch+".rope.freq_base", "rotary_emb_base")
	if parallel, ok := f.Bool(arch + ".use_parallel_residual"); ok {
		c["use_parallel_residual"] = parallel
	}
	turned, ok := f.Int(arch + ".rope.dimension_count")
	if !ok || turned < 2 || turned > d.width {
		return fmt.Errorf("%w: metadata %s.rope.dimension_count is missing or not 2 to %d", weights.ErrFormat, arch, d.width)
	}
	share := float64(turned) / float64(d.width)
	if int64(share*float64(d.width)) != turned { // readers round down
		share = (float64(turned) + 0.5) / float64(d.width)
	}
	c["rotary_pct"] = share
	c["hidden_act"] = "gelu"
	return nil
}

// besideHeads puts queries, keys and values, stored one after another, side by side for each head.
func besideHeads(t *Tensor, block string, d dims) (weights.Reader, error) {
	if block != "attn_qkv" {
		return nil, nil
	}
	return reorder(t, 3*d.heads, func(rows, row int) int {
		width := rows / int(3*d.heads)
		head, part, i := row/(3*width), row/width%3, row%width
		return part*rows/3 + head*width + i
	})
}
