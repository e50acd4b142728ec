package gguf

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"vitrine/inference/weights"
)

const golden = "../conformance/testdata/golden/family/"

// converted writes a hub tensor the way llama.cpp's conversion scripts do (conversion/llama.py, gpt2.py, gptneox.py).
func converted(arch, block, hub string, shape []int, v []float32, heads, kv int) ([]int, []float32) {
	out := make([]float32, len(v))
	switch {
	case arch == "llama" && (block == "attn_q" || block == "attn_k"):
		n := heads
		if block == "attn_k" {
			n = kv
		}
		half, row := shape[0]/n/2, len(v)/shape[0] // reshape(n, 2, half, row).swapaxes(1, 2)
		for h := range n {
			for j := range 2 {
				for i := range half {
					copy(out[((h*half+i)*2+j)*row:][:row], v[((h*2+j)*half+i)*row:][:row])
				}
			}
		}
		return shape, out
	case arch == "gpt2" && len(shape) == 2 && slices.Contains([]string{"attn_qkv", "attn_output", "ffn_up", "ffn_down"}, block):
		for r := range shape[0] {
			for c := range shape[1] {
				out[c*shape[0]+r] = v[r*shape[1]+c]
			}
		}
		return []int{shape[1], shape[0]}, out
	case arch == "gptneox" && block == "attn_qkv":
		width, row := shape[0]/3/heads, len(v)/shape[0] // reshape(heads, 3, width, row), then the three parts one after another
		for h := range heads {
			for part := range 3 {
				copy(out[(part*heads+h)*width*row:][:width*row], v[(h*3+part)*width*row:][:width*row])
			}
		}
		return shape, out
	case strings.HasPrefix(arch, "gemma") && strings.HasSuffix(hub, "norm.weight"):
		for i, x := range v {
			out[i] = x + 1
		}
		return shape, out
	}
	return shape, v
}

// goldenConfig is what the test needs of config.json.
type goldenConfig struct{ raw map[string]any }

func (c goldenConfig) int(names ...string) int {
	for _, n := range names {
		if v, ok := c.raw[n].(float64); ok {
			return int(v)
		}
	}
	return 0
}

// A hub checkpoint that went through a GGUF file comes back: names, shapes, bits and the sizes of its config.
func TestCheckpointsComeBack(t *testing.T) {
	for folder, arch := range map[string]string{"gpt2": "gpt2", "gpt_neox": "gptneox", "gpt_neox_serial": "gptneox", "llama": "llama", "mistral": "llama",
		"qwen2": "qwen2", "qwen3": "qwen3", "gemma2": "gemma2"} {
		t.Run(folder, func(t *testing.T) {
			hub, err := weights.Open(os.DirFS(golden+folder), "model.safetensors")
			if err != nil {
				t.Fatal(err)
			}
			defer hub.Close()
			raw, err := os.ReadFile(golden + folder + "/config.json")
			if err != nil {
				t.Fatal(err)
			}
			var c goldenConfig
			if err := json.Unmarshal(raw, &c.raw); err != nil {
				t.Fatal(err)
			}
			f, err := open(asGGUF(t, hub, arch, c))
			if err != nil {
				t.Fatal(err)
			}
			config, back, err := f.Checkpoint()
			if err != nil {
				t.Fatal(err)
			}
			defer back.Close()
			compareCheckpoints(t, hub, back, strings.HasPrefix(arch, "gemma"))
			var got goldenConfig
			if err := json.Unmarshal(config, &got.raw); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"hidden_size", "n_embd", "num_attention_heads", "n_head", "num_key_value_heads", "vocab_size", "intermediate_size", "n_inner", "num_hidden_layers",
				"n_layer", "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "use_parallel_residual", "attn_logit_softcapping", "sliding_window", "query_pre_attn_scalar"} {
				if g, ok := got.raw[key]; ok && c.raw[key] != nil && g != c.raw[key] {
					t.Errorf("%s is %v, want %v", key, g, c.raw[key])
				}
			}
		})
	}
}

func asGGUF(t *testing.T, hub *weights.File, arch string, c goldenConfig) []byte {
	t.Helper()
	a := architectures[arch]
	heads, kv, hidden := c.int("num_attention_heads", "n_head"), c.int("num_key_value_heads"), c.int("hidden_size", "n_embd")
	if kv == 0 {
		kv = heads
	}
	b := (&builder{}).key("general.architecture", 8, arch).key(arch+".context_length", 4, uint32(64)).key(arch+".embedding_length", 4, uint32(hidden)).
		key(arch+".block_count", 4, uint32(c.int("num_hidden_layers", "n_layer"))).key(arch+".feed_forward_length", 4, uint32(c.int("intermediate_size", "n_inner"))).
		key(arch+".attention.head_count", 4, uint32(heads)).key(arch+".attention.head_count_kv", 4, uint32(kv))
	width := c.int("head_dim")
	if width > 0 {
		b.key(arch+".attention.key_length", 4, uint32(width))
	} else {
		width = hidden / heads
	}
	for key, name := range map[string]string{"rms_norm_eps": "attention.layer_norm_rms_epsilon", "layer_norm_eps": "attention.layer_norm_epsilon", "layer_norm_epsilon": "attention.layer_norm_epsilon",
		"attn_logit_softcapping": "attn_logit_softcapping", "final_logit_softcapping": "final_logit_softcapping"} {
		if v, ok := c.raw[key].(float64); ok {
			b.key(arch+"."+name, 6, float32(v))
		}
	}
	if w := c.int("sliding_window"); w > 0 {
		b.key(arch+".attention.sliding_window", 4, uint32(w))
	}
	if arch == "gptneox" {
		b.key(arch+".rope.dimension_count", 4, uint32(width/2)).key(arch+".use_parallel_residual", 7, c.raw["use_parallel_residual"].(bool))
	}
	outside := map[string]string{}
	for k, v := range a.outside {
		outside[v] = k
	}
	blocks := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(a.blocks)) {
		blocks[a.blocks[k]] = k
	}
	var data bytes.Buffer
	for _, name := range hub.Names() {
		x, _ := hub.Tensor(name)
		v, err := x.Float32()
		if err != nil {
			t.Fatal(err)
		}
		stored, block := outside[name], ""
		if rest, ok := strings.CutPrefix(name, a.layers); ok {
			number, rest, _ := strings.Cut(rest, ".")
			dot := strings.LastIndexByte(rest, '.')
			block = blocks[rest[:dot]]
			if stored = "blk." + number + "." + block + rest[dot:]; block == "" {
				stored = ""
			}
		}
		if stored == "" {
			t.Fatalf("%s has no name in a GGUF file", name)
		}
		shape, v := converted(arch, block, name, x.Shape, v, heads, kv)
		dims := make([]uint64, 0, 2)
		for _, d := range slices.Backward(shape) {
			dims = append(dims, uint64(d))
		}
		b.tensor(stored, 0, uint64(data.Len()), dims...)
		le(&data, v)
		for data.Len()%32 != 0 {
			data.WriteByte(0)
		}
	}
	return b.file(data.Bytes())
}

func compareCheckpoints(t *testing.T, want, got *weights.File, rounded bool) {
	t.Helper()
	if !slices.Equal(want.Names(), got.Names()) {
		t.Fatalf("%v, want %v", got.Names(), want.Names())
	}
	for _, n := range want.Names() {
		a, _ := want.Tensor(n)
		b, _ := got.Tensor(n)
		x, errX := a.Float32()
		y, errY := b.Float32()
		if errX != nil || errY != nil || !slices.Equal(a.Shape, b.Shape) {
			t.Fatalf("%s: %v, want %v (%v %v)", n, b.Shape, a.Shape, errX, errY)
		}
		if rounded && strings.HasSuffix(n, "norm.weight") {
			for i := range x {
				one := x[i] + 1
				x[i] = one - 1
			}
		}
		if !slices.Equal(x, y) {
			t.Errorf("%s came back otherwise", n)
		}
		part := make([]float32, min(3, len(y)))
		if b.Release(); len(y) > 4 {
			if err := b.ReadFloat32At(part, 1); err != nil || !slices.Equal(part, y[1:4]) {
				t.Errorf("%s in parts: %v", n, err)
			}
		}
	}
}

// Llama 3's scaling is found behind its factors; factors of another kind are refused.
func TestRopeFactors(t *testing.T) {
	file := func(factors []float32) []byte {
		b := (&builder{}).key("general.architecture", 8, "llama").key("llama.rope.freq_base", 6, float32(5e5))
		for k, v := range map[string]uint32{"context_length": 64, "embedding_length": 16, "block_count": 1, "feed_forward_length": 4, "attention.head_count": 1} {
			b.key("llama."+k, 4, v)
		}
		var data bytes.Buffer
		le(&data, factors)
		data.Write(make([]byte, 512))
		return b.tensor("rope_freqs.weight", 0, 0, uint64(len(factors))).tensor("token_embd.weight", 0, 64, 16, 2).file(data.Bytes())
	}
	// What conversion/llama.py computes for theta 500000, 16 values, factor 8, 1, 4 and 8192 positions.
	factors := []float32{1, 1, 1, 1, 2.6945297, 8, 8, 8}
	f, err := open(file(factors))
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := f.Checkpoint()
	if err != nil || !strings.Contains(string(config), `"rope_scaling":{"factor":8,"high_freq_factor":4,"low_freq_factor":1,"original_max_position_embeddings":8192,"rope_type":"llama3"}`) {
		t.Errorf("%s %v", config, err)
	}
	for _, other := range [][]float32{{1, 1, 1, 1, 2.2, 8, 8, 8}, {1, 1, 1}} {
		f, err := open(file(other))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Checkpoint(); err == nil || !strings.Contains(err.Error(), "rope_freqs") {
			t.Errorf("%v: %v", other, err)
		}
	}
}
