package family

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"vitrine/inference/graph"
	"vitrine/inference/nn"
	"vitrine/inference/op"
)

var generators = []string{"gpt2", "gpt_neox", "gpt_neox_serial", "llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "t5", "t5_v1_1", "bart", "marian", "m2m_100"}

// TestGeneratorsKeepTheirTaps: every announced value is there in the shape that its name promises, and a step reads as many rows as it is asked to.
func TestGeneratorsKeepTheirTaps(t *testing.T) {
	for _, dir := range generators {
		n, err := Load(source(t, dir, nil))
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		g, d := n.(Generator), n.Describe()
		s := Shape{B: 2, T: 5}
		out := []int{2, 5, d.Vocab}
		if d.MaxDecoder > 0 {
			s.S, out = 3, []int{2, 3, d.Vocab}
		}
		full, err := n.Build(s, false)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]int{d.Taps.Embeddings: {2, 5, d.Hidden}}
		put := func(list []string, shape ...int) {
			for _, name := range list {
				want[name] = shape
			}
		}
		put(d.Taps.Hidden, 2, 5, d.Hidden)
		put(d.Taps.Attentions, 2, d.Heads, 5, 5)
		put(d.Taps.DecoderHidden, 2, 3, d.Hidden)
		for name, shape := range want {
			if id, ok := full.G.Find(name); !ok || !slices.Equal(full.G.Shape(id), shape) {
				t.Errorf("%s: no value %s of shape %v", dir, name, shape)
			}
		}
		if got := full.G.Shape(full.Output); !slices.Equal(got, out) {
			t.Errorf("%s: output %v, expected %v", dir, got, out)
		}
		step, err := g.BuildStep(4, 2, &op.Step{})
		if err != nil {
			t.Fatal(err)
		}
		if got := step.G.Shape(step.Output); !slices.Equal(got, []int{1, 2, d.Vocab}) {
			t.Errorf("%s: a step's output is %v", dir, got)
		}
		source, keys, _, err := g.BuildSource(6)
		if err != nil || (source != nil) != (d.MaxDecoder > 0) || len(keys) != 0 && !slices.Equal(source.Shape(keys[0]), []int{1, 6, g.Cache().Heads * g.Cache().Width}) {
			t.Errorf("%s: the encoder's keys: %v", dir, err)
		}
		if full.Words == graph.None || d.Generation == nil || len(d.Generation.EOS) == 0 {
			t.Errorf("%s: no word embeddings or no end id", dir)
		}
	}
}

// TestGeneratorConfigs: what is not run is refused by name, what is out of range by value.
func TestGeneratorConfigs(t *testing.T) {
	for name, c := range map[string]struct {
		dir, old, new string
		kind          error
		want          string
	}{
		"yarn":          {"llama", `"rope_scaling": null`, `"rope_scaling": {"rope_type": "yarn", "factor": 4}`, ErrUnsupported, "yarn"},
		"linear":        {"llama", `"rope_scaling": null`, `"rope_scaling": {"type": "linear", "factor": 2}`, nil, ""},
		"no factor":     {"llama", `"rope_scaling": null`, `"rope_scaling": {"type": "linear"}`, ErrConfig, "factor"},
		"base":          {"llama", `"rope_theta": 10000.0`, `"rope_theta": -1`, ErrConfig, "base"},
		"head":          {"llama", "LlamaForCausalLM", "LlamaForTokenClassification", ErrUnsupported, "LlamaForTokenClassification"},
		"activation":    {"gpt2", `"gelu_new"`, `"mish"`, ErrUnsupported, "mish"},
		"groups":        {"qwen2", `"num_key_value_heads": 2`, `"num_key_value_heads": 3`, ErrConfig, "groups"},
		"window":        {"mistral", `"sliding_window": 5`, `"sliding_window": 0`, ErrConfig, "sliding_window"},
		"layer type":    {"gemma2", `"full_attention"`, `"linear_attention"`, ErrUnsupported, "linear_attention"},
		"buckets":       {"t5", `"relative_attention_num_buckets": 12`, `"relative_attention_num_buckets": 1`, ErrConfig, "buckets"},
		"start":         {"t5", `"decoder_start_token_id": 0`, `"decoder_start_token_id": 9999`, ErrConfig, "decoder_start_token_id"},
		"vocabularies":  {"marian", `"share_encoder_decoder_embeddings": true`, `"share_encoder_decoder_embeddings": false`, ErrUnsupported, "vocabularies"},
		"other weights": {"bart", `"d_model": 32`, `"d_model": 64`, nn.ErrCheckpoint, "shared.weight"},
		"layers":        {"llama", `"num_hidden_layers": 3`, `"num_hidden_layers": 4`, nn.ErrCheckpoint, "missing"},
	} {
		raw, err := os.ReadFile(golden + c.dir + "/config.json")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), c.old) {
			t.Fatalf("%s: the config does not say %s", name, c.old)
		}
		s := source(t, c.dir, []byte(strings.ReplaceAll(string(raw), c.old, c.new)))
		if name == "start" {
			s.FS = nil
		}
		_, err = Load(s)
		if c.kind == nil && err != nil || c.kind != nil && (!errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzGeneratorConfig: any config beside good weights gives a network that builds, or one of this package's errors.
func FuzzGeneratorConfig(f *testing.F) {
	var sources []Source
	for _, dir := range generators {
		raw, err := os.ReadFile(golden + dir + "/config.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		sources = append(sources, source(f, dir, []byte("{}")))
	}
	f.Add([]byte(`{"model_type":"llama","rope_scaling":{"rope_type":"llama3","factor":0}}`))
	f.Add([]byte(`{"model_type":"t5","eos_token_id":"x"}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		for _, s := range sources {
			s.Config, s.FS = config, nil
			n, err := Load(s)
			if err != nil {
				if !errors.Is(err, ErrConfig) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, nn.ErrCheckpoint) {
					t.Fatalf("error of no kind: %v", err)
				}
				continue
			}
			if _, err := n.Build(Shape{B: 1, T: 3, S: 2}, true); err != nil {
				t.Fatalf("loads and does not build: %v", err)
			}
			if _, err := n.(Generator).BuildStep(2, 1, &op.Step{}); err != nil {
				t.Fatalf("loads and does not step: %v", err)
			}
		}
	})
}
