package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// jobThreshold is the number of entries above which an export runs as a job. Only tests
// change it.
var jobThreshold int64 = 10_000

// exportFormats are the formats and the ends of their file names.
var exportFormats = map[string]string{"pack": ".zip", "csv": ".csv", "jsonl": ".jsonl", "ocsf": ".ocsf.jsonl"}

// exportJob is what the making of an export needs to know, kept with its row.
type exportJob struct {
	Query   EventQuery      `json:"query"`
	Actor   string          `json:"actor"`
	Auth    string          `json:"auth"`
	Request string          `json:"request"`
	Asked   *audit.Decision `json:"decision"`
	First   int64           `json:"first"`
	Last    int64           `json:"last"`
}

// StartExport makes a file of log entries: at once, or as a job where it holds over
// 10,000 of them. A pack holds every entry of one range of the log, so that it can prove
// that none is missing: filters other than time and index are refused for it.
//
// Errors: [*Denied]; ErrFormat; ErrInput for a filter that makes no sense; db.ErrDiskFull.
func (a *App) StartExport(ctx context.Context, c identity.Caller, r ExportRequest) (*ExportView, error) {
	codes := map[string]string{}
	if _, ok := exportFormats[r.Format]; ok {
		codes["format"] = r.Format
	}
	q := ask{caller: c, action: policy.Export, request: requestID(r.RequestID), denied: "EXPORT.MADE.DENIED",
		event: func(e *audit.Event) { e.Codes = codes }}
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, err
	}
	if codes["format"] == "" {
		return nil, fail(ErrFormat, "use pack, csv, jsonl or ocsf", "%q is not a format of exports", clip(r.Format))
	}
	if r.Language == "" {
		r.Language = "en"
	}
	if !slices.Contains([]string{"en", "zh-Hans"}, r.Language) {
		return nil, fail(ErrInput, "use en or zh-Hans", "%q is not a language of reports", clip(r.Language))
	}
	// Everything that happened before this call is in the file.
	if err := a.log.Flush(ctx); err != nil {
		return nil, fmt.Errorf("app: including the last entries: %w", err)
	}
	row, err := a.exportRow(ctx, q, d, r)
	if err != nil {
		return nil, err
	}
	if a.queue != nil && row.Total > jobThreshold {
		err = a.db.Write(ctx, func(ctx context.Context) (err error) {
			if row.Job, err = a.queue.Insert(ctx, exportKind, exportArgs{row.ID}); err != nil {
				return err
			}
			return a.store.AddExport(ctx, row)
		})
	} else {
		row.Status = store.Running
		if err = a.db.Write(ctx, func(ctx context.Context) error { return a.store.AddExport(ctx, row) }); err == nil {
			err = a.makeExport(ctx, row)
		}
	}
	if err != nil {
		return nil, err
	}
	return a.exportView(row), nil
}

func (a *App) exportRow(ctx context.Context, q ask, d policy.Decision, r ExportRequest) (*store.Export, error) {
	head, _, err := a.log.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	job := exportJob{Query: r.EventQuery, Actor: q.caller.ID, Auth: q.caller.Auth, Request: q.request, Asked: decisionLeaf(d), First: 0, Last: head.Size - 1}
	counts, err := a.log.Counts(ctx, r.query())
	if err != nil {
		return nil, auditError(err)
	}
	total := counts.Total
	if r.Format == "pack" {
		if r.Kind+r.Actor+r.Model+r.Decision+r.Object != "" {
			return nil, fail(ErrInput, "choose a range of time, or csv, jsonl or ocsf for a selection", "a pack holds every entry of a range; it proves that none is missing")
		}
		if r.From != nil || r.To != nil || !r.After.IsZero() || !r.Until.IsZero() {
			job.First, job.Last = max(counts.First, 0), counts.Last
		}
		total = job.Last - job.First + 1
	}
	raw, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("app: encoding an export: %w", err)
	}
	decision, err := json.Marshal(decisionView(d))
	if err != nil {
		return nil, fmt.Errorf("app: encoding a decision: %w", err)
	}
	return &store.Export{
		ID: ulid.Make().String(), Workspace: a.workspace, Created: a.now().UnixMilli(), Actor: q.caller.ID,
		Format: r.Format, Language: r.Language, Query: string(raw), Status: store.Queued,
		Total: total, First: job.First, Size: head.Size, Decision: string(decision),
	}, nil
}

func (a *App) exportView(e *store.Export) *ExportView {
	v := &ExportView{
		ID: e.ID, Format: e.Format, Status: e.Status, Done: e.Done, Total: e.Total, Bytes: e.Bytes, SHA256: e.SHA256,
		FileName: exportName(e), Created: time.UnixMilli(e.Created).UTC(), Actor: e.Actor, Error: e.Problem, Job: e.Job != 0,
		From: e.First, To: e.First + e.Total,
	}
	if e.Finished != 0 {
		at := time.UnixMilli(e.Finished).UTC()
		v.Finished = &at
	}
	return v
}

// exportName is the name that a downloaded file gets: format, day and id, nothing about
// what is in it.
func exportName(e *store.Export) string {
	kind := "events"
	if e.Format == "pack" {
		kind = "evidence"
	}
	return "vitrine-" + kind + "-" + time.UnixMilli(e.Created).UTC().Format("2006-01-02") + "-" + strings.ToLower(e.ID) + exportFormats[e.Format]
}

func (a *App) exportFile(e *store.Export) string {
	return filepath.Join(a.db.Dir(), "exports", e.ID+exportFormats[e.Format])
}

// Exports lists exports, newest first.
func (a *App) Exports(ctx context.Context, c identity.Caller, p Page) (items []ExportView, next string, err error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.Export, denied: "EXPORT.READ.DENIED"}); err != nil {
		return nil, "", err
	}
	if p.Before != "" {
		if _, err := ulid.ParseStrict(p.Before); err != nil {
			return nil, "", fail(ErrInput, "use the cursor that the part before ended with", "the cursor is not one of this list's")
		}
	}
	list, more, err := a.store.Exports(ctx, a.workspace, p.Before, p.Limit)
	if err != nil {
		return nil, "", err
	}
	items = make([]ExportView, len(list))
	for i := range list {
		items[i] = *a.exportView(&list[i])
	}
	if more {
		next = list[len(list)-1].ID
	}
	return items, next, nil
}

// Export returns one export and its progress.
func (a *App) Export(ctx context.Context, c identity.Caller, id string) (*ExportView, error) {
	e, _, err := a.readableExport(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return a.exportView(e), nil
}

func (a *App) readableExport(ctx context.Context, c identity.Caller, id string) (*store.Export, policy.Decision, error) {
	d, err := a.allow(ctx, ask{caller: c, action: policy.Export, denied: "EXPORT.READ.DENIED"})
	if err != nil {
		return nil, d, err
	}
	if _, err := ulid.ParseStrict(id); err != nil {
		return nil, d, notFound("export")
	}
	e, err := a.store.Export(ctx, a.workspace, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, d, notFound("export")
	}
	return e, d, err
}

// ExportFile opens a finished export, and records that the caller took it. The caller
// closes it. ErrConflict while it is being made.
func (a *App) ExportFile(ctx context.Context, c identity.Caller, id string) (io.ReadSeekCloser, *ExportView, error) {
	e, d, err := a.readableExport(ctx, c, id)
	if err != nil {
		return nil, nil, err
	}
	if e.Status != store.Done {
		return nil, nil, fail(ErrConflict, "wait until it is done, or export again", "the export is %s", e.Status)
	}
	f, err := os.Open(a.exportFile(e))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, fail(ErrNotFound, "export again", "the file of this export is gone")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("app: opening an export: %w", err)
	}
	_, err = a.log.Append(ctx, audit.Event{Code: "EXPORT.READ.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.Export),
		Object: "export:" + e.ID, Decision: decisionLeaf(d), Codes: map[string]string{"format": e.Format}})
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, a.exportView(e), nil
}

// CancelExport ends an export under way. ErrConflict for one that is finished.
func (a *App) CancelExport(ctx context.Context, c identity.Caller, id string) error {
	e, d, err := a.readableExport(ctx, c, id)
	if err != nil {
		return err
	}
	if e.Status != store.Queued && e.Status != store.Running {
		return fail(ErrConflict, "there is nothing to cancel", "the export is %s", e.Status)
	}
	e.Status, e.Finished, e.Problem = store.Cancelled, a.now().UnixMilli(), "cancelled"
	err = a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.store.SaveExport(ctx, e); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, audit.Event{Code: "EXPORT.MADE.FAILED", Actor: c.ID, Auth: c.Auth, Action: string(policy.Export),
			Object: "export:" + e.ID, Decision: decisionLeaf(d), Reason: "cancelled", Codes: map[string]string{"format": e.Format},
			Numbers: map[string]int64{"events": e.Done}})
		return err
	})
	if err != nil {
		return err
	}
	if cancel, ok := a.exporting.Load(e.ID); ok {
		cancel.(context.CancelFunc)()
	}
	if a.queue != nil && e.Job != 0 {
		return a.queue.Cancel(ctx, e.Job)
	}
	return nil
}

// interrupted ends the exports that an earlier process was making without a job, and
// removes half-written files.
func (a *App) interrupted(ctx context.Context) error {
	// Other processes on a shared database may be making exports right now: what is
	// older than a day is nobody's.
	before := a.now()
	if a.db.Postgres() {
		before = before.Add(-24 * time.Hour)
	}
	parts, _ := filepath.Glob(filepath.Join(a.db.Dir(), "exports", "*.part"))
	for _, p := range parts {
		if info, err := os.Stat(p); err == nil && (!a.db.Postgres() || info.ModTime().Before(before)) {
			os.Remove(p)
		}
	}
	for {
		list, err := a.store.AbandonedExports(ctx, a.workspace, before.UnixMilli(), store.MaxPage)
		if err != nil || len(list) == 0 {
			return err
		}
		for i := range list {
			e := &list[i]
			e.Status, e.Problem, e.Finished = store.Failed, "interrupted", a.now().UnixMilli()
			if err := a.db.Write(ctx, func(ctx context.Context) error { return a.store.SaveExport(ctx, e) }); err != nil {
				return err
			}
		}
	}
}

// leaves are the rows of a CSV or JSONL export.
func (j exportJob) leaves() auditstore.Query {
	q := j.Query.query()
	if q.Last == nil || *q.Last > j.Last {
		last := j.Last
		q.Last = &last
	}
	return q
}
