package metric

import "context"

// Sufficiency (DeYoung et al. 2020): how far the class probability falls when only the units ranked first are kept.
// Lower is better.
func init() {
	register(Metric{ID: "sufficiency", Help: "explain.metric.sufficiency", Higher: false,
		Compute: func(ctx context.Context, s *Subject) ([]Figure, error) {
			return removal(ctx, s, "sufficiency", false, true)
		}})
}
