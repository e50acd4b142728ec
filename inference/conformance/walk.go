package conformance

import "context"

func run(ctx context.Context, _, _ string, _ func(Comparison)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrFolder
}
