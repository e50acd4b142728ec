package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	auditstore "vitrine/audit/store"
	"vitrine/web/app"
	"vitrine/web/db"
)

// Problem is an RFC 9457 problem document with our members.
type Problem struct {
	Type      string            `json:"type"`
	Title     string            `json:"title"`
	Status    int               `json:"status"`
	Detail    string            `json:"detail"`
	Code      string            `json:"code"`
	Hint      string            `json:"hint,omitempty"`
	RequestID string            `json:"request_id"`
	Decision  *app.DecisionView `json:"decision,omitempty"`
	Receipt   *app.ReceiptView  `json:"receipt,omitempty"`
	Error     *oaError          `json:"error,omitempty"` // the same for clients of the OpenAI protocol
}

// Errors of this package.
var (
	errHost        = errors.New("this address is not one this server answers to")
	errCrossOrigin = errors.New("the request comes from another site")
	errSignIn      = errors.New("nobody has signed in")
	errInvalid     = errors.New("the request is not usable")
	errNoRoute     = errors.New("no such page")
	errNoContext   = errors.New("web: a request came past the first middleware")
	errMedia       = errors.New("the body is of a kind that this address does not read")
	errMethod      = errors.New("this address does not take that method")
)

type hintedError struct {
	error
	hint string
}

func (h *hintedError) Hint() string  { return h.hint }
func (h *hintedError) Unwrap() error { return h.error }

// invalid is a request that cannot be used: what is wrong, and what to do.
func invalid(what, hint string) error {
	return &hintedError{fmt.Errorf("%w: %s", errInvalid, what), hint}
}

// kind is one row of the error table: a stable code for programs, the status,
// and whether the error's own text may leave. Where it may not, the title says
// what happened and the request id finds the rest.
type kind struct {
	err    error
	code   string
	status int
	open   bool
}

// kinds maps errors to what leaves the server; the first match wins.
var kinds = []kind{
	{errSignIn, "sign_in_required", http.StatusUnauthorized, true},
	{app.ErrSession, "not_signed_in", http.StatusUnauthorized, true},
	{app.ErrSignIn, "sign_in_failed", http.StatusUnauthorized, true},
	{app.ErrCode, "code_wrong", http.StatusUnauthorized, true},
	{app.ErrNoRole, "no_role", http.StatusForbidden, true},
	{app.ErrProvider, "provider_unavailable", http.StatusBadGateway, false},
	{app.ErrProof, "proof_required", http.StatusForbidden, true},
	{app.ErrSlowDown, "slow_down", http.StatusTooManyRequests, true},
	{app.ErrSetup, "setup_link_invalid", http.StatusForbidden, true},
	{errHost, "wrong_host", http.StatusMisdirectedRequest, true},
	{errCrossOrigin, "cross_origin", http.StatusForbidden, true},
	{app.ErrUnknownModel, "model_not_found", http.StatusNotFound, true},
	{app.ErrUnknownMethod, "method_not_found", http.StatusUnprocessableEntity, true},
	{app.ErrUnknownLabel, "label_not_found", http.StatusUnprocessableEntity, true},
	{app.ErrUnknownPurpose, "purpose_not_found", http.StatusUnprocessableEntity, true},
	{app.ErrUnknownRole, "role_not_found", http.StatusUnprocessableEntity, true},
	{app.ErrUnsuitable, "method_unsuitable", http.StatusUnprocessableEntity, true},
	{app.ErrParam, "parameter_invalid", http.StatusUnprocessableEntity, true},
	{app.ErrContext, "context_length_exceeded", http.StatusBadRequest, true},
	{app.ErrInput, "input_invalid", http.StatusUnprocessableEntity, true},
	{app.ErrNoModelFolder, "model_folder_not_found", http.StatusNotFound, true},
	{app.ErrModelFolder, "model_folder_invalid", http.StatusUnprocessableEntity, true},
	{app.ErrInputNotKept, "input_not_kept", http.StatusGone, true},
	{app.ErrFormat, "format_not_found", http.StatusUnprocessableEntity, true},
	{app.ErrNotFound, "not_found", http.StatusNotFound, true},
	{app.ErrUnchanged, "unchanged", http.StatusConflict, true},
	{app.ErrPassword, "password_refused", http.StatusUnprocessableEntity, true},
	{app.ErrConflict, "conflict", http.StatusConflict, true},
	{app.ErrExists, "exists", http.StatusConflict, true},
	{app.ErrStopped, "model_stopped", http.StatusConflict, true},
	{app.ErrBusy, "busy", http.StatusServiceUnavailable, true},
	{db.ErrDiskFull, "disk_full", http.StatusInsufficientStorage, false},
	{auditstore.ErrRolledBack, "log_halted", http.StatusServiceUnavailable, false},
	{auditstore.ErrDamaged, "log_damaged", http.StatusServiceUnavailable, false},
	{errInvalid, "invalid_request", http.StatusBadRequest, true},
	{errNoRoute, "no_such_page", http.StatusNotFound, true},
	{errMedia, "unsupported_media_type", http.StatusUnsupportedMediaType, true},
	{errMethod, "method_not_allowed", http.StatusMethodNotAllowed, true},
	{context.DeadlineExceeded, "timeout", http.StatusServiceUnavailable, false},
	{context.Canceled, "cancelled", 499, false},
}

// operator says, and how to mend, what only the operator can: their own texts
// name the inside of the program.
var operator = map[error][2]string{
	db.ErrDiskFull:           {"the disk is full; nothing was written", "make room on the disk and try again"},
	auditstore.ErrRolledBack: {"the audit log is older than what was signed, so that nothing can be recorded or done", "put back the newest backup, or start with serve --accept-restore, which records the loss"},
	auditstore.ErrDamaged:    {"the audit log is damaged, so that nothing can be recorded or done", "check the log; it names the first bad entry"},
}

// apiStatus are the codes whose status says more in the API: the body is what the
// document allows, but does not fit what is there: a client that keeps to the
// document never meets 400 or 422 (schemathesis checks that). On a form they are
// mistakes of filling in, 422.
var apiStatus = map[string]int{
	"label_not_found":   http.StatusNotFound,
	"method_unsuitable": http.StatusConflict,
	"parameter_invalid": http.StatusConflict,
	"password_refused":  http.StatusConflict,
	"input_not_kept":    http.StatusConflict,
}

// problem turns an error into what may leave the server.
func problem(err error, requestID string) Problem {
	p := Problem{Type: "about:blank", Status: http.StatusInternalServerError, Code: "internal",
		Detail: "something went wrong inside; the operator finds it under the request id", RequestID: requestID}
	var tooLarge *http.MaxBytesError
	var he *echo.HTTPError
	var denied *app.Denied
	var quota *app.QuotaError
	switch {
	case errors.As(err, &denied):
		p.Status, p.Code, p.Detail, p.Hint = http.StatusForbidden, "policy_denied", denied.Error(), denied.Hint()
		p.Decision, p.Receipt = &denied.Decision, &denied.Receipt
	case errors.As(err, &quota):
		p.Status, p.Code, p.Detail, p.Hint = http.StatusTooManyRequests, "quota_exhausted", quota.Error(), quota.Hint()
	case errors.As(err, &tooLarge):
		p.Status, p.Code = http.StatusRequestEntityTooLarge, "too_large"
		p.Detail = fmt.Sprintf("the body is larger than the %d bytes this route takes", tooLarge.Limit)
		p.Hint = "send less, or in parts"
	case errors.As(err, &he):
		p.Status, p.Code, p.Detail = he.Code, strings.ReplaceAll(strings.ToLower(http.StatusText(he.Code)), " ", "_"), http.StatusText(he.Code)
	default:
		for _, k := range kinds {
			if errors.Is(err, k.err) {
				p.Status, p.Code = k.status, k.code
				if k.open {
					p.Detail, p.Hint = err.Error(), app.Hint(err)
				}
				if words, ok := operator[k.err]; ok {
					p.Detail, p.Hint = words[0], words[1]
				}
				break
			}
		}
	}
	p.Title = http.StatusText(p.Status)
	if p.Title == "" {
		p.Title = p.Code
	}
	return p
}

// fail is the router's error handler: one answer, in the shape of the protocol
// that was spoken. Internal errors go to the operator's log with the request id,
// without anything of the request.
func (s *Server) fail(err error, ec echo.Context) {
	if ec.Response().Committed {
		return
	}
	c, ok := contextOf(ec)
	if !ok {
		c = &Context{Context: ec, App: s.app, server: s, Lang: "en", RequestID: newRequestID()}
	}
	p := problem(err, c.RequestID)
	if status, ok := apiStatus[p.Code]; ok && isAPI(c.Request().URL.Path) {
		p.Status, p.Title = status, http.StatusText(status)
	}
	if isOpenAI(c.Request().URL.Path) {
		if p.Status == http.StatusUnprocessableEntity { // a status that this protocol does not use
			p.Status, p.Title = http.StatusBadRequest, http.StatusText(http.StatusBadRequest)
		}
		p.Error = oaErrorOf(p)
	}
	if p.Status >= http.StatusInternalServerError {
		s.cfg.Log.Error("request failed", "request", c.RequestID, "code", p.Code, "route", ec.Path(), "error", err.Error())
	}
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="vitrine"`)
	}
	if p.Status == http.StatusTooManyRequests {
		h.Set("Retry-After", seconds.FindString(p.Hint))
	}
	// Clients that retry by themselves wait two minutes at most.
	if quota := (*app.QuotaError)(nil); p.Code == "policy_denied" || errors.As(err, &quota) && quota.Again > 2*time.Minute {
		h.Set("X-Should-Retry", "false")
	}
	path := c.Request().URL.Path
	switch {
	case c.Request().Method == http.MethodHead:
		err = c.NoContent(p.Status)
	case strings.HasPrefix(path, "/hf/"):
		err = c.JSON(p.Status, hfError{Error: p.Detail, ErrorType: p.Code})
	case isAPI(path) || !wantsHTML(c.Request()):
		err = writeProblem(c, p)
	default:
		err = s.failPage(c, p)
	}
	if err != nil {
		s.cfg.Log.Error("answering an error failed", "request", c.RequestID, "error", err.Error())
	}
}

func isAPI(path string) bool {
	for _, p := range []string{"/api/", "/log/", "/healthz", "/readyz", "/static/"} {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return isOpenAI(path)
}

func wantsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func writeProblem(c *Context, p Problem) error {
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("web: writing a problem: %w", err)
	}
	return c.Blob(p.Status, "application/problem+json", b)
}
