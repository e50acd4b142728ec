package app

import (
	"context"
	"time"
)

// followEvery is how long a policy that another process on the database put into force
// stays unknown here. Every answer names the version that it was decided by.
const followEvery = time.Second

// follow brings what other processes on a shared database changed into force.
func (a *App) follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := a.policies.Follow(ctx, a.workspace)
		if err != nil && ctx.Err() == nil && !failed {
			a.config.Logger.Error("a newer policy, if there is one, is not in force here", "error", err)
		}
		failed = err != nil
	}
}
