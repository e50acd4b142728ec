package conformance

import (
	"context"
	"os"
	"testing"

	"vitrine/inference/conformance"
)

// TestGolden holds methods and figures against Captum, grad-cam, shap, quantus and the published formulas. Nothing is
// unsupported but what is out of scope.
func TestGolden(t *testing.T) {
	for name, least := range map[string]int{"bert": 340, "resnet": 180, "vit": 70, "cnn": 50, "cnn_deeplift": 8, "mlp": 70, "mlp_smooth": 70,
		"gpt2": 110, "llama": 110, "t5": 54, "bart": 54} {
		t.Run(name, func(t *testing.T) {
			counts := map[string]int{}
			err := Compare(context.Background(), os.DirFS("testdata/golden/explain/"+name), name, func(c conformance.Comparison) {
				counts[c.Status]++
				switch c.Status {
				case conformance.Fail:
					t.Errorf("%s %s: difference %.3g, allowed %.3g %s", c.Name, c.What, c.Largest, c.Allowed, c.Why)
				case conformance.Unsupported:
					if c.Why != "out of scope" {
						t.Errorf("%s %s: %s", c.Name, c.What, c.Why)
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(counts)
			if counts[conformance.OK] < least {
				t.Errorf("only %d comparisons", counts[conformance.OK])
			}
		})
	}
}

// TestRegistered: the command's runner finds this package's folders by walking.
func TestRegistered(t *testing.T) {
	n := 0
	err := conformance.Run(context.Background(), "testdata/golden", "explain/bert", func(c conformance.Comparison) {
		n++
		if c.Status == conformance.Fail {
			t.Errorf("%+v", c)
		}
	})
	if err != nil || n < 200 {
		t.Errorf("%d comparisons, %v", n, err)
	}
}

// A case that names a method nobody built, or a broken case, gives one line and never a panic.
func TestBrokenCases(t *testing.T) {
	f, err := openFolder(os.DirFS("testdata/golden/explain/bert"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	ids := [][]int32{{1, 5, 2}}
	target := &goldenTarget{Kind: "logit", Index: 1}
	for name, c := range map[string]goldenCase{
		"unknown":    {Method: "TeaLeaves", Input: goldenInput{IDs: ids}},
		"lrp":        {Method: "LRP", Input: goldenInput{IDs: ids}},
		"no input":   {Method: "Saliency", Target: target},
		"empty":      {Method: "Saliency", Input: goldenInput{IDs: [][]int32{{}}}, Target: target},
		"all padded": {Method: "Saliency", Input: goldenInput{IDs: ids, Mask: [][]int32{{0, 0, 0}}}, Target: target},
		"bad id":     {Method: "Saliency", Input: goldenInput{IDs: [][]int32{{1, 1 << 30}}}, Target: target},
		"bad class":  {Method: "Saliency", Input: goldenInput{IDs: ids}, Target: &goldenTarget{Kind: "logit", Index: 99}},
		"bad kind":   {Method: "Saliency", Input: goldenInput{IDs: ids}, Target: &goldenTarget{Kind: "odds", Index: 1}},
		"no pixels":  {Method: "Saliency", Input: goldenInput{Pixels: &tensorRef{"input/nothing"}}, Target: target},
		"no rule":    {Method: "IntegratedGradients", Input: goldenInput{IDs: ids}, Target: target},
		"baseline":   {Method: "IntegratedGradients", Input: goldenInput{IDs: ids}, Target: target, Baseline: &goldenBaseline{Name: "x", IDs: [][]int32{{1}}}},
		"missing":    {Method: "InputXGradient", Input: goldenInput{IDs: ids}, Target: target, Expect: []string{"attributions"}},
	} {
		c.Name = name
		n := 0
		f.runCase(context.Background(), &c, "broken", func(x conformance.Comparison) {
			n++
			if x.Status == conformance.OK {
				t.Errorf("%s: %+v", name, x)
			}
		})
		if n != 1 {
			t.Errorf("%s: %d lines", name, n)
		}
	}
}
