package gguf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"vitrine/inference/weights"
)

// builder writes GGUF files for tests.
type builder struct {
	bytes.Buffer
	keys, tensors uint64
	infos, data   bytes.Buffer
}

func le(w *bytes.Buffer, v any) { _ = binary.Write(w, binary.LittleEndian, v) }

func text(w *bytes.Buffer, s string) {
	le(w, uint64(len(s)))
	w.WriteString(s)
}

func (b *builder) key(name string, kind uint32, v any) *builder {
	text(&b.Buffer, name)
	le(&b.Buffer, kind)
	if s, ok := v.(string); ok {
		text(&b.Buffer, s)
	} else {
		le(&b.Buffer, v)
	}
	b.keys++
	return b
}

func (b *builder) tensor(name string, kind uint32, offset uint64, dims ...uint64) *builder {
	text(&b.infos, name)
	le(&b.infos, uint32(len(dims)))
	le(&b.infos, dims)
	le(&b.infos, kind)
	le(&b.infos, offset)
	b.tensors++
	return b
}

func (b *builder) file(data []byte) []byte {
	var out bytes.Buffer
	out.WriteString("GGUF")
	le(&out, uint32(3))
	le(&out, b.tensors)
	le(&out, b.keys)
	out.Write(b.Bytes())
	out.Write(b.infos.Bytes())
	for out.Len()%32 != 0 {
		out.WriteByte(0)
	}
	out.Write(data)
	return out.Bytes()
}

func open(raw []byte) (*File, error) {
	return Open(fstest.MapFS{"m.gguf": {Data: raw}}, "m.gguf")
}

// The sums are those of gguf.quants.dequantize (gguf 0.19.0), in little-endian float32.
func TestDequantisesAsTheReference(t *testing.T) {
	raw, err := os.ReadFile("testdata/sums.json")
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]map[string]struct {
		Type   string
		Shape  []int
		SHA256 string
	}
	if err := json.Unmarshal(raw, &files); err != nil || len(files) != 6 {
		t.Fatal(err, len(files))
	}
	for name, tensors := range files {
		f, err := Open(os.DirFS("testdata"), name+".gguf")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if len(f.Names()) != len(tensors) {
			t.Errorf("%s: %d tensors, want %d", name, len(f.Names()), len(tensors))
		}
		for n, want := range tensors {
			x, ok := f.Tensor(n)
			if !ok || x.Type != want.Type || !reflect.DeepEqual(x.Shape, want.Shape) {
				t.Fatalf("%s %s: %+v, want %+v", name, n, x, want)
			}
			v, err := x.Float32()
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			le(&b, v)
			sum := sha256.Sum256(b.Bytes())
			if got := hex.EncodeToString(sum[:]); got != want.SHA256 {
				t.Errorf("%s %s (%s): values differ, the first are %v", name, n, x.Type, v[:8])
			}
			for _, part := range [][2]int{{0, 1}, {1, 31}, {31, 200}, {len(v) - 1, 1}, {100, min(len(v)-100, 40_000)}, {len(v), 0}} {
				got := make([]float32, part[1])
				if err := x.ReadFloat32At(got, part[0]); err != nil || !slices.Equal(got, v[part[0]:part[0]+part[1]]) {
					t.Errorf("%s %s: %d values from %d on differ (%v)", name, n, part[1], part[0], err)
				}
			}
			if x.ReadFloat32At(make([]float32, 2), len(v)-1) == nil || x.ReadFloat32At(nil, -1) == nil {
				t.Errorf("%s %s: a read outside was served", name, n)
			}
		}
	}
}

func TestPlainValuesAndMetadata(t *testing.T) {
	var data bytes.Buffer
	le(&data, []float32{1.5, -2, 3, 4})
	data.Write(make([]byte, 16))
	le(&data, []uint16{0x3C00, 0xC000, 0x0001, 0x7BFF}) // 1, -2, 2^-24, 65504 (IEEE 754 binary16)
	data.Write(make([]byte, 24))
	le(&data, []uint16{0x3F80, 0xC040})
	b := (&builder{}).key("a.u8", 0, uint8(200)).key("a.i8", 1, int8(-3)).key("a.f", 6, float32(0.5)).key("a.yes", 7, uint8(1)).
		key("a.s", 8, "text").key("a.big", 10, uint64(math.MaxUint64)).key("a.i64", 11, int64(-5)).key("a.f64", 12, 2.5)
	list := &bytes.Buffer{}
	le(list, uint32(8))
	le(list, uint64(2))
	text(list, "x")
	text(list, "yz")
	b.key("a.list", 9, list.Bytes())
	numbers := &bytes.Buffer{}
	le(numbers, uint32(5))
	le(numbers, uint64(2))
	le(numbers, []int32{-1, 7})
	b.key("a.ints", 9, numbers.Bytes())
	f, err := open(b.tensor("f", 0, 0, 2, 2).tensor("h", 1, 32, 4).tensor("b", 30, 64, 2).file(data.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string][]float32{"f": {1.5, -2, 3, 4}, "h": {1, -2, 1.0 / (1 << 24), 65504}, "b": {1, -3}} {
		x, _ := f.Tensor(name)
		if got, err := x.Float32(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", name, got, err, want)
		}
	}
	u, _ := f.Int("a.u8")
	i, _ := f.Int("a.i8")
	x, _ := f.Float("a.f")
	d, _ := f.Float("a.f64")
	n, _ := f.Int("a.i64")
	yes, _ := f.Bool("a.yes")
	s, _ := f.String("a.s")
	texts, _ := f.Strings("a.list")
	ints, _ := f.Ints("a.ints")
	if u != 200 || i != -3 || x != 0.5 || d != 2.5 || n != -5 || !yes || s != "text" || !slices.Equal(texts, []string{"x", "yz"}) || !slices.Equal(ints, []int64{-1, 7}) {
		t.Error(u, i, x, d, n, yes, s, texts, ints)
	}
	if _, ok := f.Int("a.big"); ok {
		t.Error("2^64-1 was read as an int64")
	}
	if _, ok := f.String("a.u8"); ok {
		t.Error("a number was read as a text")
	}
	if len(f.Keys()) != 10 || f.Version() != 3 {
		t.Error(f.Keys(), f.Version())
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	head := func(version uint32, tensors, keys uint64, rest ...byte) []byte {
		var b bytes.Buffer
		b.WriteString("GGUF")
		le(&b, version)
		le(&b, tensors)
		le(&b, keys)
		b.Write(rest)
		return b.Bytes()
	}
	lying := func(kind uint32, n uint64) []byte {
		var b bytes.Buffer
		le(&b, kind)
		le(&b, n)
		return (&builder{}).key("k", 9, b.Bytes()).file(nil)
	}
	one := func(kind uint32, offset uint64, dims ...uint64) []byte {
		return (&builder{}).tensor("t", kind, offset, dims...).file(make([]byte, 64))
	}
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"empty":              {nil, weights.ErrFormat},
		"another format":     {[]byte("PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaaaa"), weights.ErrFormat},
		"version 1":          {head(1, 0, 0), weights.ErrUnsupported},
		"big-endian":         {head(0x03000000, 0, 0), weights.ErrUnsupported},
		"2^63 tensors":       {head(3, 1<<63, 0), weights.ErrFormat},
		"2^63 keys":          {head(3, 0, 1<<63), weights.ErrFormat},
		"cut in a key":       {head(3, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 'a'), weights.ErrFormat},
		"a long key":         {head(3, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0), weights.ErrFormat},
		"2^62 numbers":       {lying(4, 1<<62), weights.ErrFormat},
		"2^61 texts":         {lying(8, 1<<61), weights.ErrFormat},
		"list of lists":      {lying(9, 1), weights.ErrFormat},
		"unknown kind":       {(&builder{}).key("k", 77, uint8(1)).file(nil), weights.ErrFormat},
		"a boolean of 7":     {(&builder{}).key("k", 7, uint8(7)).file(nil), weights.ErrFormat},
		"a key twice":        {(&builder{}).key("k", 0, uint8(1)).key("k", 0, uint8(1)).file(nil), weights.ErrFormat},
		"alignment 3":        {(&builder{}).key("general.alignment", 4, uint32(3)).file(nil), weights.ErrFormat},
		"alignment as text":  {(&builder{}).key("general.alignment", 8, "32").file(nil), weights.ErrFormat},
		"type Q2_K":          {one(10, 0, 256), weights.ErrUnsupported},
		"type 999":           {one(999, 0, 256), weights.ErrUnsupported},
		"five dimensions":    {one(0, 0, 1, 1, 1, 1, 1), weights.ErrFormat},
		"a dimension of 0":   {one(0, 0, 0), weights.ErrFormat},
		"2^63 wide":          {one(0, 0, 1<<63), weights.ErrFormat},
		"product overflows":  {one(0, 0, 1<<31-1, 1<<31-1, 1<<31-1), weights.ErrFormat},
		"broken block":       {one(2, 0, 33), weights.ErrFormat},
		"outside":            {one(0, 0, 17), weights.ErrFormat},
		"offset outside":     {one(0, 1<<62, 1), weights.ErrFormat},
		"offset beyond 2^63": {one(0, 1<<63+32, 16), weights.ErrFormat},
		"offset unaligned":   {one(0, 1, 1), weights.ErrFormat},
		"two of a name":      {(&builder{}).tensor("t", 0, 0, 1).tensor("t", 0, 32, 1).file(make([]byte, 64)), weights.ErrFormat},
		"overlap":            {(&builder{}).tensor("t", 0, 0, 9).tensor("u", 0, 32, 1).file(make([]byte, 64)), weights.ErrFormat},
		"nameless":           {(&builder{}).tensor("", 0, 0, 1).file(make([]byte, 64)), weights.ErrFormat},
	} {
		f, err := open(c.raw)
		if !errors.Is(err, c.want) || f != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: the message has %d bytes", name, len(err.Error()))
		}
	}
}

func TestCheckpoint(t *testing.T) {
	f, err := Open(os.DirFS("testdata"), "tiny-Q8_0.gguf")
	if err != nil {
		t.Fatal(err)
	}
	stored, _ := f.tensors["blk.0.attn_k.weight"].Float32()
	config, w, err := f.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var c struct {
		ModelType string  `json:"model_type"`
		Hidden    int     `json:"hidden_size"`
		KV        int     `json:"num_key_value_heads"`
		Theta     float64 `json:"rope_theta"`
		Eps       float64 `json:"rms_norm_eps"`
		Vocab     int     `json:"vocab_size"`
		Tied      bool    `json:"tie_word_embeddings"`
	}
	if err := json.Unmarshal(config, &c); err != nil || c.ModelType != "llama" || c.Hidden != 256 || c.KV != 1 || c.Theta != 1e4 || c.Eps != 1e-5 || c.Vocab != 54 || !c.Tied {
		t.Errorf("config %s: %v", config, err)
	}
	k, ok := w.Tensor("model.layers.0.self_attn.k_proj.weight")
	if !ok {
		t.Fatal(w.Names())
	}
	got, err := k.Float32()
	if err != nil {
		t.Fatal(err)
	}
	for row := range 32 { // one head of 32 rows: pairs become halves
		from := 2 * (row % 16)
		if row >= 16 {
			from++
		}
		if !slices.Equal(got[256*row:256*row+256], stored[256*from:256*from+256]) {
			t.Errorf("row %d is not stored row %d", row, from)
		}
	}
}

func TestCheckpointIsRefused(t *testing.T) {
	base := func(arch string) *builder {
		b := (&builder{}).key("general.architecture", 8, arch)
		for _, k := range []string{"context_length", "embedding_length", "block_count", "feed_forward_length", "attention.head_count"} {
			b.key(arch+"."+k, 4, uint32(4))
		}
		return b.tensor("token_embd.weight", 0, 0, 4, 2)
	}
	tokens := &bytes.Buffer{}
	le(tokens, uint32(8))
	le(tokens, uint64(1))
	text(tokens, "x")
	data := make([]byte, 256)
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"architecture":   {base("mamba").file(data), "mamba"},
		"no sizes":       {(&builder{}).key("general.architecture", 8, "llama").tensor("token_embd.weight", 0, 0, 4, 2).file(data), "context_length"},
		"no embeddings":  {(&builder{keys: 0}).key("general.architecture", 8, "llama").file(data), "context_length"},
		"vocabulary":     {base("llama").key("tokenizer.ggml.tokens", 9, tokens.Bytes()).file(data), "do not belong together"},
		"unknown tensor": {base("llama").tensor("blk.0.ffn_gate_exps.weight", 0, 32, 4).file(data), "no place"},
		"rope scaling":   {base("llama").key("llama.rope.scaling.type", 8, "yarn").file(data), "yarn"},
		"heads":          {base("llama").tensor("blk.0.attn_q.weight", 0, 32, 4, 6).file(data), "rows"},
		"rope factors":   {base("qwen2").tensor("rope_freqs.weight", 0, 32, 4).file(data), "rope_freqs"},
	} {
		f, err := open(c.raw)
		if err != nil {
			t.Fatal(name, err)
		}
		_, _, err = f.Checkpoint()
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, weights.ErrFormat) && !errors.Is(err, weights.ErrUnsupported) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// FuzzOpen: any bytes give a file whose values can be read, or an error.
func FuzzOpen(f *testing.F) {
	small, _ := os.ReadFile("testdata/tiny-Q4_0.gguf")
	f.Add(small[:3000])
	f.Add((&builder{}).key("k", 8, "v").tensor("t", 2, 0, 32, 2).file(make([]byte, 64)))
	f.Add((&builder{}).key("general.architecture", 8, "llama").tensor("token_embd.weight", 0, 0, 4, 2).file(make([]byte, 64)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := open(raw)
		if err != nil {
			if !errors.Is(err, weights.ErrFormat) && !errors.Is(err, weights.ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		for _, n := range file.Names() {
			x, _ := file.Tensor(n)
			if _, err := x.Float32(); err != nil {
				t.Fatal(n, err)
			}
		}
		if _, w, err := file.Checkpoint(); err == nil {
			for _, n := range w.Names() {
				x, _ := w.Tensor(n)
				if _, err := x.Float32(); err != nil {
					t.Fatal(n, err)
				}
			}
		}
	})
}
