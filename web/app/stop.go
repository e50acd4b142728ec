package app

import (
	"context"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// ErrStopped: a person stopped the model.
var ErrStopped = errors.New("model stopped")

// StopView is one time that a model was stopped, until it was started again.
type StopView struct {
	Model         string     `json:"model"`
	Stopped       time.Time  `json:"stopped"`
	By            string     `json:"by"`
	Reason        string     `json:"reason"`
	Started       *time.Time `json:"started,omitempty"`
	StartedBy     string     `json:"started_by,omitempty"`
	StartedReason string     `json:"started_reason,omitempty"`
}

// StopRequest says why a model is stopped, or started again.
type StopRequest struct {
	Reason    string `json:"reason" schema:"minLength=1;maxLength=500;pattern=sentence;says=must say something"`
	RequestID string `json:"-"`
}

func stopView(s *store.ModelStop) StopView {
	return StopView{Model: s.ModelName, Stopped: time.UnixMilli(s.Stopped).UTC(), By: s.StoppedBy, Reason: s.Reason, Started: at(s.Started), StartedBy: s.StartedBy, StartedReason: s.StartedReason}
}

// StopModel stops every version of a model at once: no road leads to an answer of it
// until somebody with model.approve starts it again. Whoever decides reviews may stop a
// model too, though not start it. Explanations of answers given before stay possible:
// they are what an inquiry needs.
//
// Errors: [*Denied]; ErrUnknownModel; ErrInput; ErrConflict for a model that is stopped.
func (a *App) StopModel(ctx context.Context, c identity.Caller, model string, r StopRequest) (*StopView, error) {
	row, err := a.lookup(ctx, model)
	if err != nil {
		return nil, err
	}
	q := ask{caller: c, action: policy.ModelApprove, object: "model:" + row.Name, request: requestID(r.RequestID), denied: "MODEL.STOPPED.DENIED"}
	d := a.decide(q)
	if !d.Allow {
		if review := a.decide(ask{caller: c, action: policy.ReviewDecide}); review.Allow {
			d = review
		} else {
			return nil, a.refuse(ctx, q, d)
		}
	}
	reason, err := sentence(r.Reason)
	if err != nil {
		return nil, err
	}
	s := &store.ModelStop{ID: ulid.Make().String(), Workspace: a.workspace, ModelName: row.Name, Stopped: a.now().UnixMilli(), StoppedBy: c.ID, Reason: reason}
	err = a.writeStop(ctx, q, d, "MODEL.STOPPED.OK", reason, func(ctx context.Context) error { return a.store.StopModel(ctx, s) })
	if errors.Is(err, store.ErrExists) {
		return nil, fail(ErrConflict, "nothing is left to do", "%s is stopped already", row.Name)
	}
	v := stopView(s)
	return &v, err
}

// StartModel lets a stopped model run again.
//
// Errors: [*Denied]; ErrUnknownModel; ErrInput; ErrConflict for a model that runs.
func (a *App) StartModel(ctx context.Context, c identity.Caller, model string, r StopRequest) (*StopView, error) {
	row, err := a.lookup(ctx, model)
	if err != nil {
		return nil, err
	}
	q := ask{caller: c, action: policy.ModelApprove, object: "model:" + row.Name, request: requestID(r.RequestID), denied: "MODEL.STARTED.DENIED"}
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, err
	}
	reason, err := sentence(r.Reason)
	if err != nil {
		return nil, err
	}
	s, err := a.store.StopOf(ctx, a.workspace, row.Name)
	if err == nil {
		s.Started, s.StartedBy, s.StartedReason = a.now().UnixMilli(), c.ID, reason
		err = a.writeStop(ctx, q, d, "MODEL.STARTED.OK", reason, func(ctx context.Context) error { return a.store.StartModel(ctx, s) })
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, fail(ErrConflict, "nothing is left to do", "%s is not stopped", row.Name)
	}
	if err != nil {
		return nil, err
	}
	v := stopView(s)
	return &v, nil
}

func (a *App) writeStop(ctx context.Context, q ask, d policy.Decision, code, reason string, write func(ctx context.Context) error) error {
	e := audit.Event{ID: ulid.Make().String(), Code: code, Actor: q.caller.ID, Auth: q.caller.Auth, Request: q.request, Action: string(d.Request.Action),
		Object: q.object, Decision: decisionLeaf(d)}
	own, err := a.ownKey(ctx, q.caller.ID)
	if err != nil {
		return err
	}
	key, err := audit.RecordKey(own, e.ID)
	if err != nil {
		return err
	}
	e.Commitments = map[string]string{"reason": audit.Commit(key, "reason", []byte(reason))}
	return a.db.Write(ctx, func(ctx context.Context) error {
		if err := write(ctx); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, e)
		return err
	})
}

// Stops lists when a model was stopped and started, newest first, for whoever may read
// the model.
func (a *App) Stops(ctx context.Context, c identity.Caller, model string) ([]StopView, error) {
	row, err := a.readableModel(ctx, c, model)
	if err != nil {
		return nil, err
	}
	rows, err := a.store.StopsOf(ctx, a.workspace, row.Name)
	if err != nil {
		return nil, err
	}
	list := []StopView{}
	for i := range rows {
		list = append(list, stopView(&rows[i]))
	}
	return list, nil
}

// runs refuses a model that a person stopped.
func runs(row *store.Model) error {
	if !row.Stopped {
		return nil
	}
	return fail(ErrStopped, "use another model; an administrator can start it again", "%s was stopped by a person, and answers nothing until it is started again", row.Name)
}

// stillRuns asks again, for a request that waited long for its turn.
func (a *App) stillRuns(ctx context.Context, row *store.Model) error {
	again, err := a.store.ModelByName(ctx, a.workspace, row.Name, row.Version)
	if err != nil {
		return err
	}
	return runs(again)
}
