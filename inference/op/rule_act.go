package op

import "vitrine/inference/graph"

// rescale-act is rescale for activations alone: a maximum keeps its gradient. Captum 0.9 computes this where a pooling
// layer stands directly behind a ReLU; the multipliers then do not explain the whole difference.
func init() {
	rules = append(rules, Rule{Name: "rescale-act", Paired: true, Rules: map[string]graph.VJP{"act": rescaleAct}})
}
