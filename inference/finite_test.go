package inference

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// TestNotFiniteInputsAreNamed: the value and its place are in the error, whatever it is given as.
func TestNotFiniteInputsAreNamed(t *testing.T) {
	text, digits := openPretrained(t, "sentiment-minilm"), openPretrained(t, "digits-resnet")
	tap := text.Info().Taps.Embeddings
	ids := []int32{2, 100, 3}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		values := make([]float32, 3*text.Info().Hidden)
		values[5] = float32(bad)
		pixels := make([]float32, 28*28)
		pixels[17] = float32(bad)
		written := map[string]Tensor{tap: {Shape: []int{3, text.Info().Hidden}, Data: values}}
		for name, c := range map[string]struct {
			m    *Model
			e    Example
			spec RunSpec
			want string
		}{
			"pixels":         {digits, Example{Pixels: pixels, Shape: []int{1, 28, 28}}, RunSpec{}, "example 0: input not usable: value 17 of the pixels is "},
			"embeddings":     {text, Example{Embeddings: values}, RunSpec{}, "example 0: input not usable: value 5 of the embeddings is "},
			"written":        {text, Example{IDs: ids}, RunSpec{Patch: written}, "value 5 of the values written to " + tap + " is "},
			"written by one": {text, Example{IDs: ids, Patch: written}, RunSpec{}, "value 5 of the values written to " + tap + " is "},
		} {
			_, err := c.m.Run(context.Background(), []Example{c.e}, c.spec)
			if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %v: %v", name, bad, err)
			}
		}
	}
}

// withTensor is a checkpoint whose F32 tensor holds v everywhere.
func withTensor(t *testing.T, dir, tensor string, v float32) []byte {
	t.Helper()
	raw, err := os.ReadFile(dir + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	data := 8 + binary.LittleEndian.Uint64(raw)
	header := map[string]json.RawMessage{}
	var entry struct {
		DType   string
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw[8:data], &header); err == nil {
		err = json.Unmarshal(header[tensor], &entry)
	}
	if err != nil || entry.DType != "F32" {
		t.Fatalf("%s: %+v, %v", tensor, entry, err)
	}
	for i := data + entry.Offsets[0]; i < data+entry.Offsets[1]; i += 4 {
		binary.LittleEndian.PutUint32(raw[i:], math.Float32bits(v))
	}
	return raw
}

// TestNotFiniteWeightsAreNamed: NaN and infinity are refused at load with the tensor's name; finite weights under which an
// input overflows are named by the value where that begins.
func TestNotFiniteWeightsAreNamed(t *testing.T) {
	const dir = "conformance/testdata/golden/family/bert-sequence"
	const tensor = "bert.encoder.layer.1.output.LayerNorm.weight"
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := OpenFS(bent(t, dir, map[string][]byte{"model.safetensors": withTensor(t, dir, tensor, float32(bad))}), "test")
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), fmt.Sprintf("element 0 of tensor %s is %v", tensor, bad)) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	for dir, c := range map[string]struct{ tensor, where string }{
		"bert-sequence": {tensor, "bert.encoder.layer.1 holds +Inf first"},
		"resnet_basic":  {"resnet.encoder.stages.0.layers.0.layer.0.normalization.weight", "resnet.encoder.stages.0.layers.0.layer.0.normalization holds +Inf first"},
		"t5":            {"decoder.block.1.layer.2.layer_norm.weight", "decoder.block.1 holds NaN first"},
		"gpt2":          {"transformer.h.1.ln_2.weight", "mlp_outputs.1 holds NaN first"},
	} {
		dir = "conformance/testdata/golden/family/" + dir
		m, err := OpenFS(bent(t, dir, map[string][]byte{"model.safetensors": withTensor(t, dir, c.tensor, math.MaxFloat32)}), "test")
		if err != nil {
			t.Fatal(err)
		}
		e := m.example(rand.New(rand.NewPCG(1, 2)), 6)
		_, err = m.Run(context.Background(), []Example{e}, RunSpec{})
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), "the output for example 0 is not a finite number: "+c.where) {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		wide := m.wide()
		if again, err2 := m.Run(context.Background(), []Example{e}, wide); again != nil || err2 == nil || err2.Error() != err.Error() {
			t.Errorf("%s: %v with a gradient, %v without", dir, err2, err)
		}
	}
}
