package witness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"vitrine/audit"
)

// Errors of Add beside audit.ErrAddCheckpoint (400), audit.ErrProof (422) and
// *Conflict (409).
var (
	// ErrUnknownLog: the origin is not one that this witness watches (404).
	ErrUnknownLog = errors.New("this witness does not watch that log")
	// ErrForbidden: no signature is of a key that it trusts for the origin (403).
	ErrForbidden = errors.New("the checkpoint is not signed by a key of that log")
)

// Conflict names the size that was cosigned last (409).
type Conflict struct{ Size int64 }

func (c *Conflict) Error() string {
	return fmt.Sprintf("the last checkpoint cosigned has %d entries", c.Size)
}

// Store keeps the last checkpoint cosigned of each log. Swap calls next with it (nil:
// none) and puts its answer in place, atomically.
type Store interface {
	Swap(ctx context.Context, origin string, at time.Time, next func(before []byte) (signed []byte, size int64, err error)) error
}

// Witness cosigns the checkpoints of the logs of a trust policy.
type Witness struct {
	Cosigner *audit.Cosigner
	Trust    *audit.Trust
	Store    Store
	Now      func() time.Time
}

// keys are the public keys of a log; one that rotates has several.
func (w *Witness) keys(origin string) (list []note.Verifier) {
	for _, l := range w.Trust.Logs {
		if l.Verifier.Name() == origin {
			list = append(list, l.Verifier)
		}
	}
	return list
}

// Add answers one add-checkpoint request with the cosignature line. The new state is
// kept before it returns.
func (w *Witness) Add(ctx context.Context, body []byte) ([]byte, error) {
	a, err := audit.ParseAddCheckpoint(body)
	if err != nil {
		return nil, err
	}
	origin := audit.Origin(a.Checkpoint)
	keys := w.keys(origin)
	if len(keys) == 0 {
		return nil, ErrUnknownLog
	}
	now, err := audit.OpenForeign(a.Checkpoint, keys)
	if errors.Is(err, audit.ErrSignature) {
		return nil, ErrForbidden
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", audit.ErrAddCheckpoint, err)
	}
	at := w.Now().UTC()
	err = w.Store.Swap(ctx, origin, at, func(stored []byte) ([]byte, int64, error) {
		var before *audit.Foreign
		if stored != nil {
			f, err := audit.OpenForeign(stored, keys)
			if err != nil {
				return nil, 0, fmt.Errorf("the checkpoint cosigned last cannot be opened: is a key of %s missing from the trust policy? %w", origin, err)
			}
			before = &f
		}
		if err := a.Continues(before, now); errors.Is(err, audit.ErrStale) {
			c := &Conflict{}
			if before != nil {
				c.Size = before.Size
			}
			return nil, 0, c
		} else if err != nil {
			return nil, 0, err
		}
		return a.Checkpoint, now.Size, nil
	})
	if err != nil {
		return nil, err
	}
	return []byte(w.Cosigner.Cosign(now.Text, at)), nil
}
