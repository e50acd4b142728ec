package inference

import (
	"context"
	"fmt"
	"io/fs"

	"vitrine/inference/weights"
)

// digesting hashes a model's files on a goroutine of its own, so that the first answer does not wait for it: hashing a checkpoint
// takes longer than packing it. Whoever asks for Info waits for the digests. Where the files cannot be hashed, or changed
// between the reading of the weights and the end of the hashing, Info has no digest and Run refuses.
type digesting struct {
	cancel context.CancelFunc
	done   chan struct{}
	files  []FileDigest
	digest string
	err    error
}

// startDigests begins with the files as stamp describes them.
func startDigests(fsys fs.FS, stamp string) *digesting {
	ctx, cancel := context.WithCancel(context.Background())
	d := &digesting{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer cancel()
		defer close(d.done)
		files, err := weights.Digests(ctx, fsys)
		if err != nil {
			d.err = err
			return
		}
		now, err := weights.Stamp(fsys)
		if err == nil && now != stamp {
			err = fmt.Errorf("%w: its files changed while they were read; load it again", ErrModel)
		}
		if d.err = err; err != nil {
			return
		}
		d.digest = weights.Combined(files)
		for _, f := range files {
			d.files = append(d.files, FileDigest(f))
		}
	}()
	return d
}

// failure is the error of a hashing that ended with one; it does not wait.
func (d *digesting) failure() error {
	select {
	case <-d.done:
		if d.err != nil {
			return fmt.Errorf("inference: digesting the model's files: %w", classify(d.err))
		}
	default:
	}
	return nil
}

// Info describes the model. It waits until the files are hashed. The slices in it must not be changed.
func (m *Model) Info() Info {
	info := m.Describe()
	<-m.digesting.done
	info.Digest, info.Files = m.digesting.digest, m.digesting.files
	return info
}

// Describe is Info without Files and Digest, for whoever does not want to wait for them.
func (m *Model) Describe() Info { return m.info }
