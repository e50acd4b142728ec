// Package chain writes a language model for tests: a small Llama with a byte-level
// vocabulary and a chat template, whose next word is nearly always the one that a list
// names. What it will write is therefore known, while everything about it (weights,
// tokenizer, template) is read and run as of any published checkpoint.
package chain

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Story is what the model of [Write] answers after a colon or a line's end: an emoji of
// four tokens, an address, and a telephone number in several tokens.
const Story = " Hello 😀 there, mail joe@example.com or call +49 30 901820 now."

// story are the tokens of Story, none of which the tokenizer makes of a text itself, but
// for the emoji's bytes.
var story = []string{"ĠHello", "Ġð", "Ł", "ĺ", "Ģ", "Ġthere,", "Ġmail", "Ġjoe", "@example", ".com", "Ġor", "Ġcall", "Ġ+49", "Ġ30", "Ġ901", "820", "Ġnow."}

// Special tokens.
const (
	End       = "<|endoftext|>"
	TurnStart = "<|im_start|>"
	TurnEnd   = "<|im_end|>"
)

const template = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}` +
	`{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

// Shape of the network.
const (
	width, middle, layers, heads = 64, 96, 2, 4
	// Context is how many tokens the model takes.
	Context = 256
)

// Write makes the model's folder.
func Write(dir string) error {
	words, next := vocabulary()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	files := map[string]any{
		"config.json": map[string]any{
			"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "vocab_size": len(words), "hidden_size": width,
			"intermediate_size": middle, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": heads,
			"hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": Context,
			"tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 2, "torch_dtype": "float32",
		},
		"generation_config.json": map[string]any{"bos_token_id": 0, "eos_token_id": []int{0, 2}},
		"tokenizer.json":         tokenizerFile(words),
		"tokenizer_config.json": map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": End, "eos_token": TurnEnd,
			"pad_token": End, "chat_template": template},
	}
	for name, v := range files {
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("chain: %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			return fmt.Errorf("chain: %w", err)
		}
	}
	card := "# A chain of words\n\nMade by a test; it says the same thing every time.\n"
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte(card), 0o644); err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	return writeWeights(filepath.Join(dir, "model.safetensors"), len(words), next)
}

// vocabulary is every byte, the special tokens and the words of the story; next is what
// follows each.
func vocabulary() (words []string, next []int) {
	words = []string{End, TurnStart, TurnEnd}
	id := map[string]int{}
	for _, r := range byteRunes() {
		words = append(words, string(r))
	}
	for i, w := range words {
		id[w] = i
	}
	for _, w := range story {
		if _, ok := id[w]; !ok {
			id[w] = len(words)
			words = append(words, w)
		}
	}
	ids := make([]int, len(story))
	for i, w := range story {
		ids[i] = id[w]
	}
	next = make([]int, len(words))
	for i := range next {
		next[i] = ids[0] // whatever a text ends with, the story begins
	}
	for i := range ids[:len(ids)-1] {
		next[ids[i]] = ids[i+1]
	}
	next[ids[len(ids)-1]] = 2
	return words, next
}

// byteRunes are the characters by which byte-level vocabularies write bytes.
func byteRunes() []rune {
	out := make([]rune, 256)
	extra := rune(256)
	for b := range out {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			out[b] = rune(b)
			continue
		}
		out[b] = extra
		extra++
	}
	return out
}

func tokenizerFile(words []string) map[string]any {
	vocab := map[string]int{}
	var added []map[string]any
	for i, w := range words {
		if i < 3 {
			added = append(added, map[string]any{"id": i, "content": w, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
		}
		vocab[w] = i
	}
	return map[string]any{
		"version": "1.0", "added_tokens": added,
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
		"decoder":       map[string]any{"type": "ByteLevel"},
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{}},
	}
}

// writeWeights: the row of the head of a word's successor is the word's own embedding, so
// that it wins by far; attention and the rest add a little.
func writeWeights(path string, words int, next []int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(n int, scale float64) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(rng.NormFloat64() * scale)
		}
		return out
	}
	ones := make([]float32, width)
	for i := range ones {
		ones[i] = 1
	}
	embed, head := random(words*width, 1), random(words*width, 0.02)
	const strength = 0.2
	begin := random(width, 1) // what all words share after which the story begins
	for i, to := range next {
		from := embed[i*width : (i+1)*width]
		if to == next[0] {
			for d := range from {
				from[d] = float32(from[d]/2) + begin[d]
			}
			continue
		}
		for d := range from {
			head[to*width+d] += float32(strength * from[d])
		}
	}
	for d, x := range begin {
		head[next[0]*width+d] += float32(strength * x)
	}
	type tensor struct {
		name  string
		shape []int
		data  []float32
	}
	list := []tensor{{"model.embed_tokens.weight", []int{words, width}, embed}, {"model.norm.weight", []int{width}, ones}, {"lm_head.weight", []int{words, width}, head}}
	for l := range layers {
		at := fmt.Sprintf("model.layers.%d.", l)
		for _, n := range []string{"q", "k", "v", "o"} {
			list = append(list, tensor{at + "self_attn." + n + "_proj.weight", []int{width, width}, random(width*width, 0.05)})
		}
		list = append(list,
			tensor{at + "mlp.gate_proj.weight", []int{middle, width}, random(middle*width, 0.05)},
			tensor{at + "mlp.up_proj.weight", []int{middle, width}, random(middle*width, 0.05)},
			tensor{at + "mlp.down_proj.weight", []int{width, middle}, random(width*middle, 0.05)},
			tensor{at + "input_layernorm.weight", []int{width}, ones}, tensor{at + "post_attention_layernorm.weight", []int{width}, ones})
	}
	header, end := map[string]any{}, 0
	var body []byte
	for _, t := range list {
		for _, x := range t.data {
			body = binary.LittleEndian.AppendUint32(body, math.Float32bits(x))
		}
		header[t.name] = map[string]any{"dtype": "F32", "shape": t.shape, "data_offsets": []int{end, len(body)}}
		end = len(body)
	}
	raw, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(raw))), raw...)
	if err := os.WriteFile(path, append(file, body...), 0o644); err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	return nil
}
