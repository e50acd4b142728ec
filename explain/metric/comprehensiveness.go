package metric

import "context"

// Comprehensiveness (DeYoung et al. 2020): how far the class probability falls when the units ranked first are
// removed. Higher is better.
func init() {
	register(Metric{ID: "comprehensiveness", Help: "explain.metric.comprehensiveness", Higher: true,
		Compute: func(ctx context.Context, s *Subject) ([]Figure, error) {
			return removal(ctx, s, "comprehensiveness", true, false)
		}})
}
