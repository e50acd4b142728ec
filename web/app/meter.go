package app

import (
	"context"
	"sync/atomic"

	"vitrine/explain"
	"vitrine/inference"
)

// meter counts the runs of a model that a job spends, one an example: what its progress
// is told in.
type meter struct {
	done atomic.Int64
	tell func(done int64)
}

// on is the model as the meter watches it.
func (m *meter) on(model *inference.Model) explain.Engine { return metered{model, m} }

type metered struct {
	*inference.Model
	meter *meter
}

func (e metered) Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error) {
	out, err := e.Model.Run(ctx, batch, spec)
	if err == nil {
		e.meter.tell(e.meter.done.Add(int64(len(batch))))
	}
	return out, err
}
