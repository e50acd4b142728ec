package vision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/inference/weights"
)

const golden = "../conformance/testdata/golden/image"

type goldenCase struct {
	Name  string
	Task  string
	Input struct {
		Image  string
		Images []string
	}
	SHA256    string `json:"sha256_rgb"`
	Size      [2]int
	Expect    []string
	FullShape []int `json:"full_shape"`
	Processor json.RawMessage
}

func goldenCases(t testing.TB, task string) []goldenCase {
	t.Helper()
	raw, err := os.ReadFile(golden + "/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Cases []goldenCase }
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	out := slices.DeleteFunc(doc.Cases, func(c goldenCase) bool { return c.Task != task })
	if len(out) == 0 {
		t.Fatalf("no golden cases of task %s", task)
	}
	return out
}

func encoded(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(golden, strings.TrimPrefix(path, "image/")))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func supported(path string) bool {
	return strings.HasSuffix(path, ".png") || strings.HasSuffix(path, ".jpg")
}

// Every PNG and JPEG decodes to the bytes that Pillow gives.
func TestDecodeEqualsPillow(t *testing.T) {
	for _, c := range goldenCases(t, "decode") {
		if !supported(c.Input.Image) {
			continue
		}
		p, err := Decode(encoded(t, c.Input.Image), DefaultLimit)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		sum := sha256.Sum256(p.Pix)
		if p.Width != c.Size[0] || p.Height != c.Size[1] || hex.EncodeToString(sum[:]) != c.SHA256 {
			t.Errorf("%s: %d × %d with other pixels than Pillow's %d × %d", c.Name, p.Width, p.Height, c.Size[0], c.Size[1])
		}
	}
}

func TestResizeEqualsPillow(t *testing.T) {
	expected := goldenTensors(t)
	for _, c := range goldenCases(t, "resize") {
		p, err := Decode(encoded(t, c.Input.Image), DefaultLimit)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range c.Expect {
			name, _, _ := strings.Cut(what, ".")
			want := tensor(t, expected, c.Name+"/"+what)
			f := Nearest
			for f.String() != name {
				f++
			}
			got := p.Resize(want.Shape[1], want.Shape[0], f)
			differ := 0
			for i, v := range values(t, want) {
				if float64(got.Pix[i]) != v {
					differ++
				}
			}
			if differ > 0 {
				t.Errorf("%s %s: %d of %d bytes differ", c.Name, what, differ, len(got.Pix))
			}
		}
	}
}

func TestProcessorEqualsReference(t *testing.T) {
	expected := goldenTensors(t)
	run := 0
	for _, c := range goldenCases(t, "image-processor") {
		p, err := ParseProcessor(c.Processor, 3)
		if err != nil || c.Input.Image == "" {
			continue
		}
		run++
		got, shape, err := p.Process(encoded(t, c.Input.Image))
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if !slices.Equal(shape, c.FullShape[1:]) {
			t.Errorf("%s: shape %v, want %v", c.Name, shape, c.FullShape)
			continue
		}
		step := 1
		if _, every, ok := strings.Cut(c.Expect[0], "_every"); ok {
			step = int(every[0] - '0')
		}
		want := tensor(t, expected, c.Name+"/"+c.Expect[0])
		h, w := want.Shape[2], want.Shape[3]
		worst := 0.0
		for i, v := range values(t, want) {
			ch, y, x := i/(h*w), i/w%h, i%w
			worst = max(worst, math.Abs(float64(got[(ch*shape[1]+y*step)*shape[2]+x*step])-v))
		}
		if worst > 0 {
			t.Errorf("%s: largest difference %g, want the same bits", c.Name, worst)
		}
	}
	if run < 15 {
		t.Errorf("only %d processor cases ran", run)
	}
}

func goldenTensors(t testing.TB) *weights.File {
	t.Helper()
	f, err := weights.Open(os.DirFS(golden), "expected.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func tensor(t testing.TB, f *weights.File, name string) *weights.Tensor {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("golden tensor %s is missing", name)
	}
	return x
}

func values(t testing.TB, x *weights.Tensor) []float64 {
	t.Helper()
	var out []float64
	if x.DType == "U8" || x.DType == "I64" {
		list, err := x.Int64()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			out = append(out, float64(v))
		}
		return out
	}
	out, err := x.Float64()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
