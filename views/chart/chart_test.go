package chart

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/mod/sumdb/tlog"

	"vitrine/views/i18n"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a chart of every kind, small enough to read.
func samples() map[string]templ.Component {
	t := Tokens{Signed: true, Limit: 1.25, Lang: "en", Items: []Token{{Text: "[CLS]", Special: true}, {Text: "thin", Value: -0.8245}, {Text: "but", Value: 0.412}, {Text: "wonderful", Value: 1.2495}}}
	a := &Attention{L: 1, H: 2, T: 2, Tokens: t.Items[:2], Lang: "en", P: []float32{1, 0, .5, .5, .02, .98, .4, .6}}
	h := Heat{W: 3, H: 2, Values: []float64{0, .1, .2, -.1, .4, .6}}
	signed := h
	signed.Signed = true
	return map[string]templ.Component{
		"classes":      Classes([]Class{{Label: "positive", Score: .736, Logit: 1.09, Predicted: true}, {Label: "neutral", Score: .141, Logit: -.56}}, 1, .123),
		"strip":        Strip(t),
		"strip-key":    StripKey(t),
		"token-bars":   TokenBars(t),
		"waterfall":    Falls(NewWaterfall(.371, 1.0905, []Part{{"thin", -.8245}, {"but", .412}, {"wonderful", 1.2495}}, 2), "en"),
		"heads":        Heads(a, 0, 1, func(l, h int) string { return fmt.Sprintf("?layer=%d&head=%d", l, h) }),
		"matrix":       Matrix(a, 0, 0),
		"picture":      Pic(Picture{Src: "/x.png", W: 6, H: 4, Heat: h, Opacity: 60, Contour: true, Alt: "x"}),
		"picture-sign": Pic(Picture{Src: "/x.png", W: 3, H: 2, Heat: signed, Opacity: 100, Alt: "x"}),
		"regions":      RegionTable(h),
		"range":        Range(Figure{Value: .617, Control: .138, Low: .538, High: .696}, []Figure{{Value: -.2, High: .9}}),
		"curves":       Curves([]Curve{{"a", []float64{.01, .1, .5}, []float64{.2, .4, .6}}, {"b", []float64{.01, .1, .5}, []float64{.1, -.1, 0}}}, "x"),
		"tree":         Tree(Proof{Index: 1, Size: 2, Leaf: "aa", Steps: []ProofStep{{Sibling: "bb", Left: true, Parent: "cc"}}, Root: "cc", Signed: "cc"}),
	}
}

func TestGolden(t *testing.T) {
	for name, c := range samples() {
		var b bytes.Buffer
		if err := c.Render(i18n.With(context.Background(), "en"), &b); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".html")
		if *update {
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s differs from %s\n got %s\nwant %s", name, file, b.Bytes(), want)
		}
	}
}

// TestProofPath compares with the log library for every tree up to 100 leaves.
func TestProofPath(t *testing.T) {
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(idx []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(idx))
		for i, x := range idx {
			out[i] = hashes[x]
		}
		return out, nil
	})
	for n := int64(0); n < 100; n++ {
		stored, err := tlog.StoredHashes(n, []byte{byte(n)}, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, stored...)
		size := n + 1
		root, err := tlog.TreeHash(size, reader)
		if err != nil {
			t.Fatal(err)
		}
		for i := range size {
			proof, err := tlog.ProveRecord(size, i, reader)
			if err != nil {
				t.Fatal(err)
			}
			siblings := make([][32]byte, len(proof))
			for k, h := range proof {
				siblings[k] = h
			}
			steps, got, err := ProofPath(i, size, tlog.RecordHash([]byte{byte(i)}), siblings)
			if err != nil {
				t.Fatalf("leaf %d of %d: %v", i, size, err)
			}
			if got != fmt.Sprintf("%x", root[:]) {
				t.Fatalf("leaf %d of %d: root %s, want %x", i, size, got, root[:])
			}
			covered := int64(1)
			for _, s := range steps {
				covered += s.To - s.From + 1
			}
			if covered != size {
				t.Fatalf("leaf %d of %d: siblings and leaf cover %d leaves", i, size, covered)
			}
		}
	}
	if _, _, err := ProofPath(3, 3, [32]byte{}, nil); err == nil {
		t.Error("a leaf outside the tree has a path")
	}
	if _, _, err := ProofPath(0, 3, [32]byte{}, nil); err == nil {
		t.Error("a proof that is too short has a path")
	}
}

// TestWaterfallAddsUp: baseline, parts, pool and gap sum to the output.
func TestWaterfallAddsUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var parts []Part
		for range r.IntN(30) {
			parts = append(parts, Part{"x", r.NormFloat64()})
		}
		w := NewWaterfall(r.NormFloat64(), r.NormFloat64(), parts, 8)
		rows := w.steps("p", "g", "b", "o")
		at := w.Baseline
		for _, s := range rows[1 : len(rows)-1] {
			if math.Abs(s.from-at) > 1e-12 {
				t.Fatalf("a step begins at %g, the one before ended at %g", s.from, at)
			}
			at = s.to
		}
		if math.Abs(at-w.Output) > 1e-9 {
			t.Fatalf("steps end at %g, output %g", at, w.Output)
		}
	}
}

func TestBinIsSymmetric(t *testing.T) {
	for _, c := range []struct {
		v, limit float64
		want     int
	}{{0, 1, 0}, {1, 1, 4}, {-1, 1, -4}, {.12, 1, 0}, {.13, 1, 1}, {-.13, 1, -1}, {5, 1, 4}, {1, 0, 0}, {math.NaN(), 1, 0}, {math.Inf(1), 1, 0}} {
		if got := Bin(c.v, c.limit); got != c.want {
			t.Errorf("Bin(%g, %g) = %d, want %d", c.v, c.limit, got, c.want)
		}
	}
}

// TestLargeAttentionStaysSmall: 12 by 12 heads over 512 tokens must not make a
// page of many megabytes.
func TestLargeAttentionStaysSmall(t *testing.T) {
	a := &Attention{L: 4, H: 12, T: 512, P: make([]float32, 4*12*512*512)}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range a.P {
		a.P[i] = r.Float32() * r.Float32()
	}
	var b bytes.Buffer
	ctx := i18n.With(context.Background(), "en")
	for _, c := range []templ.Component{Heads(a, 0, 0, func(int, int) string { return "?" }), Matrix(a, 0, 0), WeightTable(a, 0, 0)} {
		if err := c.Render(ctx, &b); err != nil {
			t.Fatal(err)
		}
	}
	if b.Len() > 1<<20 {
		t.Errorf("%d bytes", b.Len())
	}
}

func TestHeatOfOddSizes(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {7, 3}, {224, 224}, {65, 64}} {
		h := Heat{W: size[0], H: size[1], Values: make([]float64, size[0]*size[1])}
		for i := range h.Values {
			h.Values[i] = float64(i%5) - 1
		}
		var b bytes.Buffer
		for _, c := range []templ.Component{Pic(Picture{W: h.W, H: h.H, Heat: h, Opacity: 60, Contour: true}), RegionTable(h), CellTable(h), HeatKey(h)} {
			if err := c.Render(i18n.With(context.Background(), "zh-Hans"), &b); err != nil {
				t.Fatal(err)
			}
		}
	}
}
