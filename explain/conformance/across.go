package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"vitrine/explain"
	"vitrine/inference"
)

// comparePerTokenAcross explains each word that a decoder wrote by what the encoder read and by what was written before it, both
// differentiated together.
func comparePerTokenAcross(ctx context.Context, s *subject) error {
	first := s.problems[0]
	written := first.Example.Decoder
	if len(written) < 2 {
		return unsupported("%d decoder tokens", len(written))
	}
	var config struct {
		Pad int32 `json:"pad_token_id"`
	}
	raw, err := readLimited(s.checkpoint, "config.json", maxCases)
	if err == nil {
		err = json.Unmarshal(raw, &config)
	}
	if err != nil {
		return fmt.Errorf("conformance: reading the padding id: %w", err)
	}
	source, rows := len(first.Example.IDs), map[string][]float64{}
	for n := 1; n < len(written); n++ {
		p := *first
		p.Joint = true
		p.Example.Decoder = written[:n]
		p.Target = inference.Target{Index: []int{int(written[n])}, Quantity: s.c.Target.Kind}
		p.Baseline = explain.Baseline{Name: "pad", IDs: slices.Repeat([]int32{config.Pad}, source), Decoder: slices.Repeat([]int32{config.Pad}, n)}
		p.Baseline.IDs[source-1], p.Baseline.Decoder[0] = p.Example.IDs[source-1], written[0]
		for what, method := range perToken {
			m, _ := explain.Lookup(method)
			params := map[string]any{}
			if what == "ig" {
				params["profile"] = "captum"
			}
			if p.Params, err = m.Resolve(params); err != nil {
				return err
			}
			a, err := explain.Attribute(ctx, method, &p)
			if err != nil {
				return err
			}
			rows["source."+what] = append(rows["source."+what], a.Values[:source]...)
			rows["target."+what] = append(append(rows["target."+what], a.Values[source:]...), make([]float64, len(written)-1-n)...)
			if what == "ig" {
				rows["ig_delta"] = append(rows["ig_delta"], a.Delta())
				rows["f_input"], rows["f_baseline"] = append(rows["f_input"], a.Output), append(rows["f_baseline"], a.BaselineOutput)
			}
		}
	}
	for _, what := range []string{"source.ixg", "source.ig", "source.saliency_l2", "target.ixg", "target.ig", "f_input", "f_baseline"} {
		s.compare(what, [][]float64{rows[what]})
	}
	s.compareDeltas("ig_delta", rows["ig_delta"], 10)
	return nil
}

// perToken are the methods of the references' rows.
var perToken = map[string]string{"ixg": "input-x-gradient", "saliency_l2": "saliency", "ig": "integrated-gradients"}
