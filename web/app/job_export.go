package app

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"vitrine/audit"
	"vitrine/audit/report"
	"vitrine/policy"
	policystore "vitrine/policy/store"
	"vitrine/web/db"
	"vitrine/web/job"
	"vitrine/web/store"
)

// exportKind is the job that makes one export.
const exportKind = "audit.export"

type exportArgs struct {
	Export string `json:"export"`
}

func init() {
	job.Register(job.Kind{Name: exportKind, Attempts: 3, Work: func(ctx context.Context, host any, args json.RawMessage) error {
		a := host.(*App)
		var x exportArgs
		if err := json.Unmarshal(args, &x); err != nil {
			return fmt.Errorf("%w: %w", job.ErrFinal, err)
		}
		row, err := a.store.Export(ctx, a.workspace, x.Export)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: %w", job.ErrFinal, err)
		}
		if err != nil {
			return err
		}
		if row.Status != store.Queued && row.Status != store.Running {
			return nil // cancelled, or done before a crash
		}
		row.Status = store.Running
		err = a.makeExport(ctx, row)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", job.ErrFinal, err) // recorded as failed
		}
		return err
	}})
}

// progressEvery bounds how often progress is written.
const progressEvery = 500 * time.Millisecond

// makeExport writes the file of an export under another name and puts it into place
// when it is whole; the row and the log say how it ended. The program's stop leaves the
// row as it is: a job runs again.
func (a *App) makeExport(ctx context.Context, row *store.Export) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.exporting.Store(row.ID, cancel)
	defer a.exporting.Delete(row.ID)
	var j exportJob
	if err := json.Unmarshal([]byte(row.Query), &j); err != nil {
		return fmt.Errorf("app: reading export %s: %w", row.ID, err)
	}
	err := a.writeExport(ctx, row, j)
	if err != nil && ctx.Err() != nil && row.Job != 0 {
		return err // cancelled by a person, who is recorded already, or by the program's stop
	}
	e := audit.Event{
		Code: "EXPORT.MADE.OK", Actor: j.Actor, Auth: j.Auth, Request: j.Request, Action: string(policy.Export), Object: "export:" + row.ID,
		Decision: j.Asked, Codes: map[string]string{"format": row.Format},
		Numbers: map[string]int64{"events": row.Done, "first": j.First, "last": j.Last, "size": row.Size, "bytes": row.Bytes},
	}
	row.Finished, row.Status = a.now().UnixMilli(), store.Done
	if err != nil {
		row.Status, row.Problem = store.Failed, exportProblem(err)
		e.Code, e.Reason = "EXPORT.MADE.FAILED", row.Problem
		e.Numbers = map[string]int64{"events": row.Done}
	}
	saved := a.db.Write(context.WithoutCancel(ctx), func(ctx context.Context) error {
		if err := a.store.SaveExport(ctx, row); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, e)
		return err
	})
	if saved != nil && err == nil {
		os.Remove(a.exportFile(row)) // what could not be recorded does not leave
	}
	return errors.Join(err, saved)
}

// exportProblem is the closed code of why an export failed.
func exportProblem(err error) string {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	case errors.Is(err, db.ErrDiskFull):
		return "disk-full"
	}
	return "internal"
}

func (a *App) writeExport(ctx context.Context, row *store.Export, j exportJob) (err error) {
	path := a.exportFile(row)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("app: making the folder of exports: %w", err)
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("app: writing an export: %w", db.Translate(err))
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(part)
			err = db.Translate(err)
		}
	}()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(f, 1<<16)
	counted := &countingWriter{w: io.MultiWriter(buffered, sum)}
	if err := a.writeEntries(ctx, counted, row, j); err != nil {
		return err
	}
	if err := errors.Join(buffered.Flush(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("app: writing an export: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("app: writing an export: %w", err)
	}
	row.Bytes, row.SHA256 = counted.n, hex.EncodeToString(sum.Sum(nil))
	return nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (a *App) writeEntries(ctx context.Context, w io.Writer, row *store.Export, j exportJob) (err error) {
	progress := a.progress(ctx, row)
	switch row.Format {
	case "csv":
		row.Done, err = report.WriteCSV(w, a.log.Leaves(ctx, j.leaves()), progress)
	case "jsonl":
		row.Done, err = report.WriteJSONL(w, a.log.Leaves(ctx, j.leaves()), progress)
	case "ocsf":
		row.Done, err = report.WriteOCSF(w, a.log.Leaves(ctx, j.leaves()), progress)
	default:
		err = a.writePack(ctx, w, row, j, progress)
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

func (a *App) writePack(ctx context.Context, w io.Writer, row *store.Export, j exportJob, progress report.Progress) error {
	o := report.PackOptions{
		First: j.First, Last: j.Last, From: j.Query.After, To: j.Query.Until, Created: a.now(), Lang: row.Language,
		Policy: a.packedPolicy, Card: a.packedCard, Render: a.config.Render, Print: a.config.Print, Progress: progress, Root: a.packedRoot, Trust: a.config.Trust,
	}
	var err error
	if o.Successions, err = a.log.Successions(ctx); err != nil {
		return err
	}
	// Packs made before can be held against this one.
	earlier, _, err := a.store.Exports(ctx, a.workspace, row.ID, store.MaxPage)
	if err != nil {
		return err
	}
	for _, e := range earlier {
		if e.Format == "pack" && e.Status == store.Done {
			o.Continues = append(o.Continues, e.Size)
		}
	}
	s, err := report.WritePack(ctx, w, a.log, o)
	if err == nil {
		row.Done = s.Manifest.Events
	}
	return err
}

// packedRoot puts a pack's checkpoint into the root log, has it cosigned where there are
// witnesses, and proves it.
func (a *App) packedRoot(ctx context.Context, c audit.Checkpoint) (*report.Rooted, error) {
	r, err := a.root.Anchor(ctx, a.log.ID(), c)
	if err == nil && a.witnesses != nil {
		a.cosign(ctx)
		r, err = a.root.Anchor(ctx, a.log.ID(), c)
	}
	if err != nil {
		return nil, err
	}
	return &report.Rooted{Leaf: r.Leaf, Proof: r.Proof, VerifierKey: r.VerifierKey}, nil
}

// progress keeps the number of entries written, now and then.
func (a *App) progress(ctx context.Context, row *store.Export) report.Progress {
	last := time.Now()
	return func(written int64) {
		row.Done = written
		if time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		state := *row
		if err := a.db.Write(ctx, func(ctx context.Context) error { return a.store.SaveExport(ctx, &state) }); err != nil && ctx.Err() == nil {
			a.config.Logger.Warn("progress was not kept", "export", row.ID, "error", err)
		}
	}
}

// packedPolicy is the policy version with a hash, for packs.
func (a *App) packedPolicy(ctx context.Context, hash string) ([]byte, error) {
	_, s, err := a.policies.VersionByHash(ctx, a.workspace, hash)
	if errors.Is(err, policystore.ErrNotFound) {
		return nil, fmt.Errorf("app: policy %s: %w", hash, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return s.Bytes(), nil
}

// packedCard is a model's card, for packs; nil where it has none.
func (a *App) packedCard(ctx context.Context, m audit.Model) ([]byte, error) {
	row, err := a.store.ModelByName(ctx, a.workspace, m.ID, m.Version)
	if errors.Is(err, store.ErrNotFound) || err == nil && row.Card == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []byte(row.Card), nil
}
