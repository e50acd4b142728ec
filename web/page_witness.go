package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"vitrine/audit"
	"vitrine/audit/witness"
	"vitrine/web/app"
)

// The witness role speaks C2SP tlog-witness under the submission prefix /witness: its
// requests are signed notes, not JSON, its callers have no account, and its answers
// are those of that standard, not our problem documents.
func init() {
	page(http.MethodPost, "/witness/add-checkpoint", Public, addCheckpoint)
}

func addCheckpoint(c *Context) error {
	body, err := io.ReadAll(io.LimitReader(c.Request().Body, audit.MaxAddCheckpoint+1))
	if err != nil {
		return err
	}
	lines, err := c.App.Cosign(c.Ctx(), body)
	var conflict *witness.Conflict
	switch {
	case err == nil:
		return c.Blob(http.StatusOK, "text/plain; charset=utf-8", lines)
	case errors.As(err, &conflict):
		return c.Blob(http.StatusConflict, "text/x.tlog.size", fmt.Appendf(nil, "%d\n", conflict.Size))
	case errors.Is(err, audit.ErrAddCheckpoint):
		return c.String(http.StatusBadRequest, "the request is malformed\n")
	case errors.Is(err, witness.ErrUnknownLog), errors.Is(err, app.ErrNotFound):
		return c.String(http.StatusNotFound, "this witness does not watch that log\n")
	case errors.Is(err, witness.ErrForbidden):
		return c.String(http.StatusForbidden, "the checkpoint is not signed by a key of that log\n")
	case errors.Is(err, audit.ErrProof):
		return c.String(http.StatusUnprocessableEntity, "the proof does not hold\n")
	}
	return err
}
