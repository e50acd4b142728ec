package app

import (
	"errors"
	"fmt"

	"vitrine/policy"
)

// Sentinels of this package. Each comes wrapped with the sentence that says what
// was wrong; [Hint] gives what to do.
var (
	ErrInput          = errors.New("input not usable")
	ErrContext        = errors.New("longer than the model's context")
	ErrUnknownModel   = errors.New("unknown model")
	ErrUnknownLabel   = errors.New("unknown label")
	ErrUnknownMethod  = errors.New("unknown explanation method")
	ErrUnknownPurpose = errors.New("unknown purpose")
	ErrUnknownRole    = errors.New("unknown role")
	ErrParam          = errors.New("parameter not usable")
	ErrUnsuitable     = errors.New("method does not suit the model")
	ErrNotFound       = errors.New("not found")
	ErrConflict       = errors.New("changed in between")
	ErrExists         = errors.New("exists already")
	ErrSignIn         = errors.New("name or password is wrong")
	ErrSlowDown       = errors.New("too many attempts")
	ErrSession        = errors.New("not signed in")
	ErrSetup          = errors.New("set-up link not valid")
	ErrBusy           = errors.New("too busy")
	ErrFormat         = errors.New("unknown format")
	ErrModelFolder    = errors.New("model folder not usable")
	ErrUnchanged      = errors.New("nothing to change")
	ErrPassword       = errors.New("password refused")
	ErrCodeDue        = errors.New("a one-time code is due")
	ErrCode           = errors.New("one-time code is wrong")
	ErrNoRole         = errors.New("no role here")
	ErrProvider       = errors.New("identity provider not usable")
	ErrProof          = errors.New("prove who you are again")
	ErrInputNotKept   = errors.New("the input was not kept")
)

// Denied means that the policy said no. It is recorded in the log; Receipt names
// the entry.
type Denied struct {
	Decision DecisionView
	Receipt  ReceiptView
}

func (d *Denied) Error() string {
	return fmt.Sprintf("the policy refuses %s on %s: %s", d.Decision.Action, d.Decision.Object, d.sentence())
}

func (d *Denied) sentence() string {
	switch d.Decision.Reason {
	case policy.ReasonDenied:
		if d.Decision.Rule != nil {
			return "rule " + d.Decision.Rule.ID + " denies it"
		}
	case policy.ReasonMethodForbidden:
		if d.Decision.Rule != nil {
			return "rule " + d.Decision.Rule.ID + " forbids the method"
		}
	case policy.ReasonNoExplanation:
		return "the rule that allows it withholds explanations"
	case policy.ReasonNoRule:
		return "no rule allows it"
	}
	return d.Decision.Reason
}

// Refused says that this error is the policy's.
func (d *Denied) Refused() bool { return true }

// Hint says what the refused caller can do.
func (d *Denied) Hint() string {
	if n := d.Decision.Nearest; n != nil && len(d.Decision.Lacked) > 0 {
		return fmt.Sprintf("the nearest rule is %s; it asks for %s", n.ID, d.Decision.Lacked[0])
	}
	return "an administrator can change the policy"
}

// hinted is an error that knows what the reader can do about it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Hint() string  { return h.hint }
func (h *hinted) Unwrap() error { return h.error }

// fail wraps a sentinel with a sentence and a hint.
func fail(sentinel error, hint, format string, args ...any) error {
	return &hinted{fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...)), hint}
}

// Hint returns what the reader of err can do, or "".
func Hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// ErrNoModelFolder is the ErrModelFolder of a folder that is not there at all.
var ErrNoModelFolder error = noModelFolder{}

type noModelFolder struct{}

func (noModelFolder) Error() string { return "no model folder" }
func (noModelFolder) Unwrap() error { return ErrModelFolder }
