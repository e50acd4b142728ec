package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"

	"vitrine/inference"
	"vitrine/inference/gguf"
	"vitrine/inference/weights"
)

func init() {
	Register(Group{Name: "gguf", Match: func(f Folder) bool { return f.Head.Family == "gguf" }, Run: runGGUF})
}

// ggufCase is one file: its tensors' digests, some of their values, and the logits of the model in it.
type ggufCase struct {
	Name  string `json:"name"`
	Input struct {
		File string    `json:"file"`
		IDs  [][]int32 `json:"input_ids"`
	} `json:"input"`
	Expect  []string `json:"expect"`
	Tensors map[string]struct {
		SHA256 string `json:"sha256_float32"`
	} `json:"tensors"`
	Float32 map[string]float64 `json:"float32_error"`
}

func runGGUF(ctx context.Context, f Folder, emit func(Comparison)) error {
	var doc struct {
		Cases []ggufCase `json:"cases"`
	}
	if err := json.Unmarshal(f.Cases, &doc); err != nil {
		return err
	}
	if len(doc.Cases) == 0 {
		emit(unsupported(f.Path, "file", "the folder has no cases"))
		return nil
	}
	values, err := weights.Open(f.FS, "expected.safetensors")
	if err != nil {
		return err
	}
	defer values.Close()
	for i := range doc.Cases {
		c := &doc.Cases[i]
		name := f.Path + "/" + c.Name
		for _, step := range []func() error{
			func() error { return c.tensors(f, name, values, emit) },
			func() error { return c.logits(ctx, f, name, values, emit) },
		} {
			err := step()
			switch {
			case err == nil:
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, inference.ErrUnsupported) || errors.Is(err, weights.ErrUnsupported):
				emit(unsupported(name, "file", err.Error()))
			default:
				emit(failed(name, "file", err))
			}
		}
	}
	return nil
}

// tensors compares what the tensors hold: all by their digests, some by value as well.
func (c *ggufCase) tensors(f Folder, name string, values *weights.File, emit func(Comparison)) error {
	file, err := gguf.Open(f.FS, path.Base(c.Input.File))
	if err != nil {
		return err
	}
	defer file.Close()
	var names []string
	for tensor := range c.Tensors {
		names = append(names, tensor)
	}
	slices.Sort(names)
	for _, tensor := range names {
		t, ok := file.Tensor(tensor)
		if !ok {
			return fmt.Errorf("tensor %s is missing", tensor)
		}
		got, err := t.Float32()
		if err != nil {
			return err
		}
		if slices.Contains(c.Expect, tensor) {
			want, err := expected(values, c.Name+"/"+tensor)
			if err != nil {
				return err
			}
			emit(Exactly(name, tensor, floats(got), want.data))
			continue
		}
		raw := make([]byte, 0, 4*len(got))
		for _, v := range got {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		sum := sha256.Sum256(raw)
		emit(Exactly(name, tensor, []string{hex.EncodeToString(sum[:])}, []string{c.Tensors[tensor].SHA256}))
	}
	return nil
}

// logits runs the model in the file.
func (c *ggufCase) logits(ctx context.Context, f Folder, name string, values *weights.File, emit func(Comparison)) error {
	m, err := inference.OpenFile(f.FS, path.Base(c.Input.File), name)
	if err != nil {
		return err
	}
	defer m.Close()
	want, err := expected(values, c.Name+"/logits")
	if err != nil {
		return err
	}
	var batch []inference.Example
	for _, ids := range c.Input.IDs {
		batch = append(batch, inference.Example{IDs: ids})
	}
	results, err := m.Run(ctx, batch, inference.RunSpec{})
	if err != nil {
		return err
	}
	var got []float64
	for _, r := range results {
		got = append(got, floats(r.Output.Data)...)
	}
	emit(Values(name, "logits", got, want.data, c.Float32["logits"]))
	return nil
}
