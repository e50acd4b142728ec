package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/db"
	"vitrine/web/job"
	"vitrine/web/store"
)

// A task is long work that walks the same road as a request: explanations by costly
// methods, data sets, randomisation checks. It is asked for in the transaction that
// enqueues its job, says how far it is, can be cancelled, and goes on after a restart.
// When it runs, the one who asked must still be allowed to do each step.

// TaskView is one task.
type TaskView struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind"`   // explanation, batch, sanity
	Status     string     `json:"status"` // queued, running, done, failed, cancelled
	Done       int64      `json:"done"`
	Total      int64      `json:"total"` // an estimate until it is done
	Unit       string     `json:"unit"`  // what Done and Total count: runs of the model, rows, steps
	Created    time.Time  `json:"created"`
	Started    *time.Time `json:"started,omitempty"`
	Finished   *time.Time `json:"finished,omitempty"`
	Remaining  *float64   `json:"remaining,omitempty"` // seconds, from what was done so far; absent while nobody knows
	Actor      string     `json:"actor"`
	Model      string     `json:"model"`
	Prediction string     `json:"prediction,omitempty"`
	Method     string     `json:"method,omitempty"`
	Object     string     `json:"object,omitempty"` // the explanation that was made
	Error      string     `json:"error,omitempty"`  // closed code
}

// TaskList is one part of the tasks, newest first.
type TaskList struct {
	Items []TaskView `json:"items"`
	Next  string     `json:"next,omitempty"`
}

// taskKind is one sort of task. Work does it, tells its progress, and returns what it
// found (kept sealed, nil = nothing) and the id of what it made.
type taskKind struct {
	unit string
	work func(ctx context.Context, a *App, t *task) (result any, object string, err error)
}

var taskKinds = map[string]taskKind{}

// registerTask adds a kind of task and its job.
func registerTask(name string, k taskKind) {
	taskKinds[name] = k
	job.Register(job.Kind{Name: "task." + name, Attempts: 3, Work: func(ctx context.Context, host any, args json.RawMessage) error {
		a := host.(*App)
		var x taskArgs
		if err := json.Unmarshal(args, &x); err != nil {
			return fmt.Errorf("%w: %w", job.ErrFinal, err)
		}
		row, err := a.store.Task(ctx, a.workspace, x.Task)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: %w", job.ErrFinal, err)
		}
		if err != nil {
			return err
		}
		if row.Status != store.Queued && row.Status != store.Running {
			return nil // cancelled, or done before a crash
		}
		err = a.doTask(ctx, row)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", job.ErrFinal, err) // recorded as failed
		}
		return err
	}})
}

// taskFailure is the result of work that failed and can say why in a sentence.
type taskFailure struct {
	Problem string `json:"problem"`
	Hint    string `json:"hint"`
}

type taskArgs struct {
	Task string `json:"task"`
}

// task is one at work.
type task struct {
	row    *store.Task
	caller identity.Caller
	tell   func(done int64)
}

// request opens what was asked.
func (a *App) taskRequest(ctx context.Context, row *store.Task, into any) error {
	raw, err := a.unseal(ctx, place{row.Actor, row.ID, "request"}, row.Request)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("app: reading task %s: %w", row.ID, err)
	}
	return nil
}

// startTask keeps a task, its job and its log entry, all or none; without a queue it is
// done at once. q and d are the question that allowed it.
func (a *App) startTask(ctx context.Context, q ask, d policy.Decision, row *store.Task, request any) (*TaskView, error) {
	raw, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("app: encoding a task: %w", err)
	}
	if _, err := a.ownKey(ctx, q.caller.ID); err != nil {
		return nil, err
	}
	row.ID, row.Workspace, row.Created = ulid.Make().String(), a.workspace, a.now().UnixMilli()
	row.Actor, row.Auth, row.Status = q.caller.ID, q.caller.Auth, store.Queued
	if row.Request, err = a.seal(ctx, place{row.Actor, row.ID, "request"}, raw); err != nil {
		return nil, err
	}
	event := a.taskEvent("JOB.ASKED.OK", row)
	event.Action, event.Request, event.Decision, event.Purpose = string(q.action), q.request, decisionLeaf(d), d.Request.Context.Purpose
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if a.queue != nil {
			if row.Job, err = a.queue.Insert(ctx, "task."+row.Kind, taskArgs{row.ID}); err != nil {
				return err
			}
		}
		if err := a.store.AddTask(ctx, row); err != nil {
			return err
		}
		_, err = a.log.Append(ctx, event)
		return err
	})
	if err != nil {
		return nil, err
	}
	if a.queue == nil {
		if err := a.doTask(ctx, row); err != nil {
			return nil, err
		}
	}
	return a.taskView(row), nil
}

func (a *App) taskEvent(code string, row *store.Task) audit.Event {
	e := audit.Event{Code: code, Actor: row.Actor, Auth: row.Auth, Object: "job:" + row.ID, Codes: map[string]string{"kind": row.Kind},
		Numbers: map[string]int64{"done": row.Done, "total": row.Total}}
	if row.Method != "" {
		e.Codes["method"] = row.Method
	}
	if row.Prediction != "" {
		e.Codes["prediction"] = row.Prediction
	}
	return e
}

// doTask does a task; the row and the log say how it ended. The program's stop leaves the
// row as it is: a job runs again.
func (a *App) doTask(ctx context.Context, row *store.Task) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.working.Store(row.ID, cancel)
	defer a.working.Delete(row.ID)
	row.Status, row.Started, row.Problem = store.Running, a.now().UnixMilli(), ""
	if err := a.db.Write(ctx, func(ctx context.Context) error { return a.store.SaveTask(ctx, row) }); err != nil {
		return err
	}
	t := &task{row: row, tell: a.taskProgress(ctx, row)}
	var result any
	c, err := a.taskCaller(ctx, row)
	if err == nil {
		t.caller = c
		result, row.Object, err = taskKinds[row.Kind].work(ctx, a, t)
	}
	if err != nil && ctx.Err() != nil && row.Job != 0 {
		return err // cancelled by a person, who is recorded already, or by the program's stop
	}
	row.Finished, row.Status, row.Total = a.now().UnixMilli(), store.Done, max(row.Done, 1)
	e := a.taskEvent("JOB.ENDED.OK", row)
	if _, why := result.(taskFailure); result != nil && (err == nil || why) {
		if sealed := a.sealResult(ctx, row, result); err == nil {
			err = sealed
		}
	}
	if err != nil {
		row.Status, row.Problem = store.Failed, taskProblem(err)
		e = a.taskEvent("JOB.ENDED.FAILED", row)
		e.Reason = row.Problem
	}
	row.Request = nil // the data set is not kept beside the predictions that it became
	saved := a.db.Write(context.WithoutCancel(ctx), func(ctx context.Context) error {
		if err := a.store.SaveTask(ctx, row); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, e)
		return err
	})
	return errors.Join(err, saved)
}

func (a *App) sealResult(ctx context.Context, row *store.Task, result any) error {
	raw, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("app: encoding the result of a task: %w", err)
	}
	row.Result, err = a.seal(ctx, place{row.Actor, row.ID, "result"}, raw)
	return err
}

// taskCaller is the one who asked, as they stand now.
func (a *App) taskCaller(ctx context.Context, row *store.Task) (identity.Caller, error) {
	if row.Actor == a.Local().ID {
		return a.Local(), nil
	}
	c, err := a.callerOf(ctx, row.Actor)
	c.Auth = row.Auth
	return c, err
}

// taskProblem is the closed code of why a task failed.
func taskProblem(err error) string {
	var d *Denied
	switch {
	case errors.As(err, &d):
		return "refused"
	case errors.Is(err, db.ErrDiskFull):
		return "disk-full"
	case errors.Is(err, ErrInputNotKept):
		return "input-not-kept"
	}
	return failure(err)
}

// taskProgress writes how far a task is, at most every half second.
func (a *App) taskProgress(ctx context.Context, row *store.Task) func(done int64) {
	last := time.Now()
	return func(done int64) {
		row.Done, row.Total = done, max(row.Total, done)
		if time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		err := a.db.Write(ctx, func(ctx context.Context) error {
			return a.store.ProgressTask(ctx, row.Workspace, row.ID, row.Done, row.Total)
		})
		if err != nil && ctx.Err() == nil {
			a.config.Logger.Warn("the progress of a task was not written", "error", err)
		}
	}
}

func (a *App) taskView(row *store.Task) *TaskView {
	v := &TaskView{ID: row.ID, Kind: row.Kind, Status: row.Status, Done: row.Done, Total: row.Total, Unit: taskKinds[row.Kind].unit,
		Created: time.UnixMilli(row.Created).UTC(), Started: at(row.Started), Finished: at(row.Finished), Actor: row.Actor, Model: row.Model,
		Prediction: row.Prediction, Method: row.Method, Object: row.Object, Error: row.Problem}
	if spent := a.now().UnixMilli() - row.Started; row.Status == store.Running && row.Done > 0 && row.Total >= row.Done && spent > 1000 {
		left := float64(spent) / 1000 / float64(row.Done) * float64(row.Total-row.Done)
		v.Remaining = &left
	}
	return v
}

// readableTask reads a task for the one who asked for it, and for whoever manages jobs.
func (a *App) readableTask(ctx context.Context, c identity.Caller, id, denied string) (*store.Task, error) {
	if _, err := ulid.ParseStrict(id); err != nil {
		return nil, notFound("job")
	}
	row, err := a.store.Task(ctx, a.workspace, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("job")
	}
	if err != nil || row.Actor == c.ID && c.Workspace == a.workspace {
		return row, err
	}
	_, err = a.allow(ctx, ask{caller: c, action: policy.JobManage, object: "job:" + id, denied: denied})
	return row, err
}

// Task returns one task and how far it is.
func (a *App) Task(ctx context.Context, c identity.Caller, id string) (*TaskView, error) {
	row, err := a.readableTask(ctx, c, id, "JOB.READ.DENIED")
	if err != nil {
		return nil, err
	}
	return a.taskView(row), nil
}

// Tasks lists the caller's tasks, and all of them for whoever manages jobs.
func (a *App) Tasks(ctx context.Context, c identity.Caller, p Page) (*TaskList, error) {
	if p.Before != "" {
		if _, err := ulid.ParseStrict(p.Before); err != nil {
			return nil, fail(ErrInput, "use the cursor that the part before ended with", "the cursor is not one of this list's")
		}
	}
	actor := c.ID
	if a.decide(ask{caller: c, action: policy.JobManage}).Allow {
		actor = ""
	}
	rows, more, err := a.store.Tasks(ctx, a.workspace, actor, p.Before, p.Limit)
	if err != nil {
		return nil, err
	}
	list := &TaskList{Items: []TaskView{}}
	for i := range rows {
		list.Items = append(list.Items, *a.taskView(&rows[i]))
	}
	if more {
		list.Next = rows[len(rows)-1].ID
	}
	return list, nil
}

// CancelTask ends a task under way. What it made so far stays. ErrConflict for one that
// is finished.
func (a *App) CancelTask(ctx context.Context, c identity.Caller, id string) (*TaskView, error) {
	row, err := a.readableTask(ctx, c, id, "JOB.CANCELLED.DENIED")
	if err != nil {
		return nil, err
	}
	if row.Status != store.Queued && row.Status != store.Running {
		return nil, fail(ErrConflict, "there is nothing to cancel", "the job is %s", row.Status)
	}
	row.Status, row.Finished, row.Problem, row.Request = store.Cancelled, a.now().UnixMilli(), "cancelled", nil
	e := a.taskEvent("JOB.ENDED.FAILED", row)
	e.Actor, e.Auth, e.Reason = c.ID, c.Auth, "cancelled"
	err = a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.store.SaveTask(ctx, row); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	if cancel, ok := a.working.Load(row.ID); ok {
		cancel.(context.CancelFunc)()
	}
	if a.queue != nil && row.Job != 0 {
		err = a.queue.Cancel(ctx, row.Job)
	}
	return a.taskView(row), err
}

// abandoned ends the tasks that an earlier process was doing without a job.
func (a *App) abandoned(ctx context.Context) error {
	for {
		list, err := a.store.AbandonedTasks(ctx, a.workspace, store.MaxPage)
		if err != nil || len(list) == 0 {
			return err
		}
		for i := range list {
			t := &list[i]
			t.Status, t.Problem, t.Finished, t.Request = store.Failed, "interrupted", a.now().UnixMilli(), nil
			if err := a.db.Write(ctx, func(ctx context.Context) error { return a.store.SaveTask(ctx, t) }); err != nil {
				return err
			}
		}
	}
}

// TaskResult is what a finished task found, as JSON; the id of what it made stands in
// the task itself. It opens for the one who asked only: it is as much as their rules let
// out. ErrConflict while the task runs.
func (a *App) TaskResult(ctx context.Context, c identity.Caller, id string) (json.RawMessage, error) {
	row, err := a.readableTask(ctx, c, id, "JOB.READ.DENIED")
	if err != nil {
		return nil, err
	}
	switch {
	case row.Status == store.Queued || row.Status == store.Running:
		return nil, fail(ErrConflict, "ask again when it is done", "the job is %s", row.Status)
	case row.Actor != c.ID || row.Result == nil:
		return nil, notFound("result of this job for you")
	}
	return a.unseal(ctx, place{row.Actor, row.ID, "result"}, row.Result)
}
