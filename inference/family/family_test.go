package family

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"vitrine/inference/graph"
	"vitrine/inference/nn"
	"vitrine/inference/weights"
)

const golden = "../conformance/testdata/golden/family/"

func source(t testing.TB, dir string, config []byte) Source {
	t.Helper()
	fsys := os.DirFS(golden + dir)
	file, err := weights.OpenHub(fsys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if config == nil {
		if config, err = os.ReadFile(golden + dir + "/config.json"); err != nil {
			t.Fatal(err)
		}
	}
	return Source{Config: config, FS: fsys, Weights: file}
}

// TestEveryNetworkKeepsItsTaps: all taps that a network announces exist in its graph, in shapes that fit, and a lean
// graph gives an output of the same shape.
func TestEveryNetworkKeepsItsTaps(t *testing.T) {
	for _, dir := range []string{"bert-sequence", "bert-token", "bert-qa", "bert-mlm", "sentence-embedding", "resnet_basic", "resnet_bottleneck"} {
		n, err := Load(source(t, dir, nil))
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		d := n.Describe()
		s := Shape{B: 2, T: 5, C: d.ImageChannels, H: 40, W: 44}
		full, err := n.Build(s, false)
		if err != nil {
			t.Fatal(err)
		}
		names := append(append(append([]string{}, d.Taps.Hidden...), d.Taps.Attentions...), d.Taps.Features...)
		for _, name := range append(names, d.Taps.Embeddings, d.Taps.Pixels) {
			if name == "" {
				continue
			}
			if id, ok := full.G.Find(name); !ok || full.G.Shape(id)[0] != 2 {
				t.Errorf("%s: no value named %s", dir, name)
			}
		}
		for i, name := range d.Taps.Attentions {
			id, _ := full.G.Find(name)
			if got := fmt.Sprint(full.G.Shape(id)); got != fmt.Sprint([]int{2, d.Heads, 5, 5}) {
				t.Errorf("%s: attention %d is %s", dir, i, got)
			}
		}
		lean, err := n.Build(s, true)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := full.G.Shape(full.Output), lean.G.Shape(lean.Output); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: output %v, lean %v", dir, a, b)
		}
		if full.Words != graph.None && d.Modality == "image" {
			t.Errorf("%s: a picture has word embeddings", dir)
		}
	}
}

// TestCheckpointNames: the prefix of the family, none at all, and the old names of LayerNorm are all found; a value that
// is not finite is refused.
func TestCheckpointNames(t *testing.T) {
	write := func(names map[string]float32) *weights.File {
		header := map[string]any{}
		var data []byte
		for name, v := range names {
			header[name] = map[string]any{"dtype": "F32", "shape": []int{1}, "data_offsets": []int{len(data), len(data) + 4}}
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		raw, err := json.Marshal(header)
		if err != nil {
			t.Fatal(err)
		}
		file := append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(raw))), raw...), data...)
		f, err := weights.Open(fstest.MapFS{"m.safetensors": {Data: file}}, "m.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	load := func(names map[string]float32) (*nn.Loader, []float32) {
		l := nn.NewLoader(write(names), "probe", "bert.", "")
		l.Rename(".weight", ".gamma")
		return l, l.Tensor("LayerNorm.weight", 1)
	}
	for _, name := range []string{"bert.LayerNorm.weight", "LayerNorm.weight", "bert.LayerNorm.gamma", "LayerNorm.gamma"} {
		if l, v := load(map[string]float32{"bert.probe": 1, name: 2}); l.Err() != nil || len(v) != 1 || v[0] != 2 {
			t.Errorf("%s: %v, %v", name, v, l.Err())
		}
	}
	if l, _ := load(map[string]float32{"bert.probe": 1}); !errors.Is(l.Err(), nn.ErrCheckpoint) || !strings.Contains(l.Err().Error(), "bert.LayerNorm.weight is missing; its shape should be [1]") {
		t.Error(l.Err())
	}
	if l, _ := load(map[string]float32{"LayerNorm.weight": float32(math.NaN())}); !errors.Is(l.Err(), nn.ErrCheckpoint) {
		t.Error(l.Err())
	}
}

// TestPooling: modules.json decides about the head; what is not run is refused by name.
func TestPooling(t *testing.T) {
	s := source(t, "sentence-embedding", nil)
	for name, c := range map[string]struct {
		modules, pooling string
		kind             error
		want             string
	}{
		"cls":     {`[{"path":"","type":"a.Transformer"},{"path":"1_Pooling","type":"a.Pooling"}]`, `{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}`, nil, ""},
		"max":     {`[{"path":"","type":"a.Transformer"},{"path":"1_Pooling","type":"a.Pooling"}]`, `{"pooling_mode_max_tokens":true}`, ErrUnsupported, "pooling_mode_max_tokens"},
		"dense":   {`[{"path":"","type":"a.Transformer"},{"path":"2_Dense","type":"a.Dense"}]`, `{}`, ErrUnsupported, "a.Dense"},
		"outside": {`[{"path":"","type":"a.Transformer"},{"path":"../x","type":"a.Pooling"}]`, `{}`, ErrConfig, "../x"},
		"nothing": {`[{"path":"","type":"a.Transformer"},{"path":"1_Pooling","type":"a.Pooling"}]`, `{}`, ErrConfig, "no mode"},
		"broken":  {`[{`, `{}`, ErrConfig, "modules.json"},
	} {
		s.FS = fstest.MapFS{"modules.json": {Data: []byte(c.modules)}, "1_Pooling/config.json": {Data: []byte(c.pooling)}}
		_, err := Load(s)
		if c.kind == nil && err != nil || c.kind != nil && (!errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzConfig: any config beside good weights gives a network that builds, or one of this package's errors.
func FuzzConfig(f *testing.F) {
	for _, dir := range []string{"bert-sequence", "bert-mlm", "resnet_basic"} {
		raw, err := os.ReadFile(golden + dir + "/config.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"model_type":"bert","id2label":{"0":"a","00":"b"}}`))
	f.Add([]byte(`{"model_type":"resnet","depths":[],"hidden_sizes":[]}`))
	s := source(f, "bert-sequence", []byte("{}"))
	images := source(f, "resnet_basic", []byte("{}"))
	f.Fuzz(func(t *testing.T, config []byte) {
		for _, s := range []Source{s, images} {
			s.Config = config
			n, err := Load(s)
			if err != nil {
				if !errors.Is(err, ErrConfig) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, nn.ErrCheckpoint) {
					t.Fatalf("error of no kind: %v", err)
				}
				continue
			}
			d := n.Describe()
			if _, err := n.Build(Shape{B: 1, T: 3, C: d.ImageChannels, H: 64, W: 64}, true); err != nil {
				t.Fatalf("loads and does not build: %v", err)
			}
		}
	})
}
