package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"vitrine/inference/vision"
	"vitrine/inference/weights"
)

func init() {
	Register(Group{Name: "image", Match: func(f Folder) bool { return f.Head.Family == "image" }, Run: runImage})
}

// imageCase is one case of the image references.
type imageCase struct {
	Name  string `json:"name"`
	Task  string `json:"task"` // decode, resize, image-processor
	Input struct {
		Image string `json:"image"`
	} `json:"input"`
	SHA256    string          `json:"sha256_rgb"`
	Size      [2]int          `json:"size"` // width, height
	Expect    []string        `json:"expect"`
	FullShape []int           `json:"full_shape"`
	Processor json.RawMessage `json:"processor"`
}

func runImage(ctx context.Context, f Folder, emit func(Comparison)) error {
	var doc struct {
		Cases []imageCase `json:"cases"`
	}
	if err := json.Unmarshal(f.Cases, &doc); err != nil {
		return err
	}
	tensors, err := weights.Open(f.FS, "expected.safetensors")
	if err != nil {
		return err
	}
	defer tensors.Close()
	for _, c := range doc.Cases {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := f.Path + "/" + c.Name
		if c.Input.Image == "" {
			emit(unsupported(name, c.Task, "pictures padded to a common size are not run"))
			continue
		}
		raw, err := fs.ReadFile(f.FS, path.Base(c.Input.Image))
		if err == nil {
			err = c.compare(name, raw, tensors, emit)
		}
		switch {
		case errors.Is(err, vision.ErrUnsupported):
			emit(unsupported(name, c.Task, err.Error()))
		case err != nil:
			emit(failed(name, c.Task, err))
		}
	}
	return nil
}

func (c *imageCase) compare(name string, raw []byte, tensors *weights.File, emit func(Comparison)) error {
	switch c.Task {
	case "decode":
		p, err := vision.Decode(raw, vision.DefaultLimit)
		if err != nil {
			return err
		}
		emit(Exactly(name, "size", []int{p.Width, p.Height}, c.Size[:]))
		sum := sha256.Sum256(p.Pix)
		emit(Exactly(name, "rgb", []string{hex.EncodeToString(sum[:])}, []string{c.SHA256}))
		return nil
	case "resize":
		p, err := vision.Decode(raw, vision.DefaultLimit)
		if err != nil {
			return err
		}
		for _, what := range c.Expect {
			if err := compareResize(p, name, what, c.Name, tensors, emit); err != nil {
				return err
			}
		}
		return nil
	case "image-processor":
		return c.compareProcessor(name, raw, tensors, emit)
	}
	emit(unsupported(name, c.Task, "no runner for this task"))
	return nil
}

// compareResize reads a value named filter.widthxheight.
func compareResize(p *vision.Picture, name, what, caseName string, tensors *weights.File, emit func(Comparison)) error {
	want, err := expected(tensors, caseName+"/"+what)
	if err != nil {
		return err
	}
	if len(want.shape) != 3 || want.shape[0] < 1 || want.shape[1] < 1 {
		return fmt.Errorf("expected tensor %s has shape %v", what, want.shape)
	}
	label, _, _ := strings.Cut(what, ".")
	for f := vision.Nearest; f <= vision.Hamming; f++ {
		if f.String() == label {
			got := p.Resize(want.shape[1], want.shape[0], f)
			emit(Exactly(name, what, floats(got.Pix), want.data))
			return nil
		}
	}
	emit(unsupported(name, what, "no such filter"))
	return nil
}

func (c *imageCase) compareProcessor(name string, raw []byte, tensors *weights.File, emit func(Comparison)) error {
	p, err := vision.ParseProcessor(c.Processor, 3)
	if err != nil {
		return err
	}
	got, shape, err := p.Process(raw)
	if err != nil {
		return err
	}
	emit(Exactly(name, "shape", append([]int{1}, shape...), c.FullShape))
	for _, what := range c.Expect {
		want, err := expected(tensors, c.Name+"/"+what)
		if err != nil {
			return err
		}
		step := 1
		if _, every, ok := strings.Cut(what, "_every"); ok {
			if step, err = strconv.Atoi(every); err != nil || step < 1 {
				return fmt.Errorf("value %s has no step", what)
			}
		}
		emit(Values(name, what, thin(floats(got), shape, step), want.data, 0))
	}
	return nil
}

// thin keeps every step-th row and column of a (C,H,W) picture.
func thin(x []float64, shape []int, step int) []float64 {
	if step == 1 {
		return x
	}
	var out []float64
	for ch := range shape[0] {
		for y := 0; y < shape[1]; y += step {
			for i := 0; i < shape[2]; i += step {
				out = append(out, x[(ch*shape[1]+y)*shape[2]+i])
			}
		}
	}
	return out
}

// floats widens values, exactly.
func floats[T ~byte | ~int32 | ~float32](x []T) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
