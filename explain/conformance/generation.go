package conformance

import (
	"context"
	"slices"

	"vitrine/explain"
	"vitrine/inference"
)

func init() {
	register("greedy generation", compareGreedy)
	register("per-token attribution", comparePerToken)
}

// compareGreedy holds the sequence that the most probable next token gives, and the logits after every prefix of it.
func compareGreedy(ctx context.Context, s *subject) error {
	want, err := s.tensor(s.c.Name + "/sequence")
	if err != nil {
		return err
	}
	p := s.problems[0]
	across := s.info.Taps.DecoderEmbeddings != ""
	prompt := p.Example.IDs
	if across && len(want.data) > 0 { // the start token
		prompt = []int32{int32(want.data[0])}
	}
	if len(want.data) <= len(prompt) {
		return unsupported("a sequence of %d tokens for a prompt of %d", len(want.data), len(prompt))
	}
	ids := slices.Clone(prompt)
	var logits, top []float64
	for n := 1; n <= len(want.data); n++ {
		at := inference.Example{IDs: ids[:min(n, len(ids))]}
		if across {
			at = inference.Example{IDs: p.Example.IDs, Decoder: ids[:min(n, len(ids))]}
		}
		out, err := s.model.Run(ctx, []inference.Example{at}, inference.RunSpec{})
		if err != nil {
			return err
		}
		row := lastRow(out[0].Output)
		logits = append(logits, row...)
		if n == len(prompt) {
			top = best(row, 3)
		}
		if n >= len(prompt) && len(ids) < len(want.data) {
			ids = append(ids, int32(best(row, 1)[0]))
		}
	}
	sequence := make([]float64, len(ids))
	for i, id := range ids {
		sequence[i] = float64(id)
	}
	s.compare("sequence", [][]float64{sequence})
	s.compare("logits", [][]float64{logits})
	s.compare("top3_last_prompt_position", [][]float64{top})
	return nil
}

// lastRow is the output for the next token.
func lastRow(t inference.Tensor) []float64 {
	n := t.Shape[len(t.Shape)-1]
	return widen(t.Data[len(t.Data)-n:])
}

// best lists the n largest values' places, largest first.
func best(v []float64, n int) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case v[a] > v[b]:
			return -1
		case v[a] < v[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(order[i])
	}
	return out
}

// comparePerToken explains each written token by what stood before it, one row a token.
func comparePerToken(ctx context.Context, s *subject) error {
	if s.info.Taps.DecoderEmbeddings != "" {
		return comparePerTokenAcross(ctx, s)
	}
	ids, prompt := s.problems[0].Example.IDs, s.c.Input.Prompt
	if prompt < 1 || prompt >= len(ids) {
		return unsupported("a prompt of %d of %d tokens", prompt, len(ids))
	}
	rows := map[string][]float64{}
	for n := prompt; n < len(ids); n++ {
		p, err := s.step(ctx, ids[:n], ids[n], rows)
		if err != nil {
			return err
		}
		for _, m := range []struct {
			what, method string
			params       map[string]any
		}{{"ixg", "input-x-gradient", nil}, {"saliency_l2", "saliency", nil}, {"ig", "integrated-gradients", map[string]any{"profile": "captum"}}} {
			method, _ := explain.Lookup(m.method)
			if p.Params, err = method.Resolve(m.params); err != nil {
				return err
			}
			a, err := explain.Attribute(ctx, m.method, p)
			if err != nil {
				return err
			}
			rows[m.what] = append(append(rows[m.what], a.Values...), make([]float64, len(ids)-n)...)
			if m.what == "ig" {
				rows["ig_delta"] = append(rows["ig_delta"], a.Delta())
			}
		}
	}
	for _, what := range []string{"ixg", "saliency_l2", "ig", "target_ids", "foil_ids"} {
		s.compare(what, [][]float64{rows[what]})
	}
	s.compareDeltas("ig_delta", rows["ig_delta"], 10)
	return nil
}

// step is the problem of one written token: its log-probability, or its logit less the runner-up's.
func (s *subject) step(ctx context.Context, before []int32, written int32, rows map[string][]float64) (*explain.Problem, error) {
	out, err := s.model.Run(ctx, []inference.Example{{IDs: before}}, inference.RunSpec{})
	if err != nil {
		return nil, err
	}
	foil := -1
	for _, id := range best(lastRow(out[0].Output), 2) {
		if foil < 0 && int32(id) != written {
			foil = int(id)
		}
	}
	rows["target_ids"], rows["foil_ids"] = append(rows["target_ids"], float64(written)), append(rows["foil_ids"], float64(foil))
	p := *s.problems[0]
	p.Example = inference.Example{IDs: before}
	p.Tokens = p.Tokens[:len(before)]
	p.Baseline = explain.Baseline{Name: "pad", IDs: slices.Repeat([]int32{s.info.SpecialIDs.Pad}, len(before))}
	p.Baseline.IDs[0] = before[0]
	p.Target = inference.Target{Index: []int{int(written)}, Quantity: "logprob"}
	if s.c.Target != nil && s.c.Target.Kind == "contrast" {
		p.Target = inference.Target{Index: []int{int(written)}, Quantity: "diff", Minus: []int{foil}}
	}
	return &p, nil
}
