package views

import (
	"context"
	"strconv"
	"strings"

	"vitrine/policy"
	"vitrine/views/i18n"
	"vitrine/views/ui"
)

// The names of fixed words (roles, actions, methods, metrics, purposes,
// reasons) live in one catalogue, "name"; a word that an administrator or a
// model brought along is shown as it is.

func roleName(ctx context.Context, role string) string {
	return i18n.Or(ctx, "name.role-"+role, role)
}

// ActionName is an action in words.
func ActionName(ctx context.Context, action string) string {
	return i18n.Or(ctx, "name.action-"+action, action)
}

func methodName(ctx context.Context, id string) string {
	return i18n.Or(ctx, "name.method-"+id, id)
}

func methodLine(ctx context.Context, id string) string {
	return i18n.Or(ctx, "name.method-line-"+id, "")
}

func metricName(ctx context.Context, id string) string {
	return i18n.Or(ctx, "name.metric-"+id, id)
}

func purposeName(ctx context.Context, id string) string {
	return i18n.Or(ctx, "name.purpose-"+id, id)
}

func recogniserName(ctx context.Context, id string) string {
	return i18n.Or(ctx, "name.recogniser-"+id, id)
}

func taskName(ctx context.Context, id string) string {
	return i18n.Or(ctx, "name.task-"+id, id)
}

func levelName(ctx context.Context, id string) string {
	return i18n.Or(ctx, "name.level-"+id, id)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// ObjectWords writes an object of the policy ("model:sentiment-minilm") for
// people: the name without its kind, or the kind where it means all of them.
func ObjectWords(ctx context.Context, object string) string {
	kind, name, ok := strings.Cut(object, ":")
	if !ok || name == "" || name == "*" {
		return i18n.Or(ctx, "name.object-"+kind, object)
	}
	return name
}

// decisionRole names the role through which a decision came about.
func decisionRole(ctx context.Context, d policy.Decision) string {
	if d.Rule != nil && len(d.RolePath) > 1 {
		return roleName(ctx, strings.TrimPrefix(d.RolePath[len(d.RolePath)-1], "role:"))
	}
	names := make([]string, 0, len(d.Request.Subject.Roles))
	for _, r := range d.Request.Subject.Roles {
		names = append(names, roleName(ctx, strings.TrimPrefix(r, "role:")))
	}
	if len(names) == 0 {
		return i18n.T(ctx, "refused.no-role")
	}
	return strings.Join(names, ", ")
}

// obligationText says in words what an allowing rule asks for.
func obligationText(ctx context.Context, o policy.Obligations) string {
	list := func(ids []string, name func(context.Context, string) string) string {
		names := make([]string, len(ids))
		for i, id := range ids {
			names[i] = name(ctx, id)
		}
		return strings.Join(names, ", ")
	}
	var parts []string
	if len(o.Mask) > 0 {
		parts = append(parts, i18n.T(ctx, "policy.o-mask", "what", list(o.Mask, recogniserName)))
	}
	if o.ExplanationLevel != "" {
		parts = append(parts, i18n.T(ctx, "policy.o-level", "level", levelName(ctx, o.ExplanationLevel)))
	}
	if o.Round != nil {
		parts = append(parts, i18n.T(ctx, "policy.o-round", "n", *o.Round))
	}
	if len(o.Methods) > 0 {
		parts = append(parts, i18n.T(ctx, "policy.o-only", "what", list(o.Methods, methodName)))
	}
	if len(o.ForbidMethods) > 0 {
		parts = append(parts, i18n.T(ctx, "policy.o-forbid", "what", list(o.ForbidMethods, methodName)))
	}
	if o.ModelSeesClear {
		parts = append(parts, i18n.T(ctx, "policy.o-clear"))
	}
	if o.Gate != nil {
		parts = append(parts, gateText(ctx, *o.Gate))
	}
	if len(parts) == 0 {
		return i18n.T(ctx, "policy.o-none")
	}
	return strings.Join(parts, "; ")
}

// labelList names the labels of a model, at most eight of them.
func labelList(ctx context.Context, labels []string) string {
	if len(labels) == 0 {
		return "–"
	}
	if len(labels) > 8 {
		return strings.Join(labels[:8], ", ") + " " + i18n.T(ctx, "playground.more-labels", "n", len(labels)-8)
	}
	return strings.Join(labels, ", ")
}

// ShortRef shortens the identifier of an actor or object to what tells rows
// apart; the whole of it stands in the canonical bytes.
func ShortRef(ref string) string {
	kind, id, ok := strings.Cut(ref, ":")
	if !ok || len(id) <= 20 {
		return ref
	}
	return kind + ":" + ui.ShortID(id)
}

// outcomeOf reads the outcome of an event from its code and decision.
func outcomeOf(code, effect string) string {
	switch {
	case strings.HasSuffix(code, ".DENIED"):
		return "deny"
	case strings.HasSuffix(code, ".FAILED"):
		return "fail"
	}
	return effect // empty where nothing was decided: the system's own entries
}

func indexRange(ctx context.Context, rows []EventRow) string {
	return i18n.T(ctx, "audit.range", "first", ui.Count(rows[0].Index), "last", ui.Count(rows[len(rows)-1].Index))
}

// entrySentence says an entry in one sentence.
func entrySentence(ctx context.Context, m Entry) string {
	s := i18n.Or(ctx, "name.event-"+m.Row.Code, m.Row.Code)
	s = i18n.T(ctx, "audit.sentence", "what", s, "actor", ShortRef(m.Row.Actor))
	if m.Purpose != "" {
		s += i18n.T(ctx, "audit.sentence-purpose", "purpose", purposeName(ctx, m.Purpose))
	}
	if m.Reason != "" {
		s += i18n.T(ctx, "audit.sentence-reason", "reason", i18n.Or(ctx, "refused.reason-"+m.Reason, m.Reason))
	}
	return s + i18n.T(ctx, "audit.stop")
}

// millions writes a number of parameters.
func millions(ctx context.Context, n int64) string {
	switch {
	case n >= 1e9:
		return i18n.T(ctx, "models.billion", "n", ui.Num(float64(n)/1e9, 1))
	case n >= 1e5:
		return i18n.T(ctx, "models.million", "n", ui.Num(float64(n)/1e6, 1))
	}
	return ui.Count(n)
}

func shapeText(ctx context.Context, m Model) string {
	if m.Modality == "image" {
		return i18n.T(ctx, "models.shape-image", "c", strconv.Itoa(m.Image[0]), "h", strconv.Itoa(m.Image[1]), "w", strconv.Itoa(m.Image[2]))
	}
	return i18n.T(ctx, "models.shape-text", "layers", strconv.Itoa(m.Layers), "heads", strconv.Itoa(m.Heads), "tokens", ui.Count(m.MaxTokens))
}

func methodList(ctx context.Context, ids []string) string {
	if len(ids) == 0 {
		return "–"
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = methodName(ctx, id)
	}
	return strings.Join(names, ", ")
}

// effectName says a cell in one word, for its link.
func effectName(ctx context.Context, c Cell) string {
	switch c.State {
	case policy.CellInherited:
		return i18n.T(ctx, "policies.inherited")
	case policy.CellConditional:
		return i18n.T(ctx, "policies.allow-if")
	case policy.CellAllow:
		return i18n.T(ctx, "policies.allow")
	case policy.CellDeny:
		return i18n.T(ctx, "policies.deny")
	}
	return i18n.T(ctx, "policies.none")
}

// NavName is the name of an entry of the navigation.
func NavName(ctx context.Context, id string) string { return i18n.T(ctx, "nav."+id) }

// MetricName is a faithfulness figure in words.
func MetricName(ctx context.Context, id string) string { return metricName(ctx, id) }

// MethodName is a method in words.
func MethodName(ctx context.Context, id string) string { return methodName(ctx, id) }

// PurposeName is a purpose in words.
func PurposeName(ctx context.Context, id string) string { return purposeName(ctx, id) }

// RecogniserName is a recogniser of personal data in words.
func RecogniserName(ctx context.Context, id string) string { return recogniserName(ctx, id) }

// dutyShort counts what a rule asks for, for a cell of the matrix; the rules
// below it say it whole.
func dutyShort(ctx context.Context, o policy.Obligations) string {
	var parts []string
	if n := len(o.Mask); n > 0 {
		parts = append(parts, i18n.T(ctx, "policies.d-mask", "n", n))
	}
	if o.ExplanationLevel != "" && o.ExplanationLevel != policy.LevelFull {
		parts = append(parts, levelName(ctx, o.ExplanationLevel))
	}
	if o.Round != nil {
		parts = append(parts, i18n.T(ctx, "policy.o-round", "n", *o.Round))
	}
	if n := len(o.Methods); n > 0 {
		parts = append(parts, i18n.T(ctx, "policies.d-only", "n", n))
	}
	if n := len(o.ForbidMethods); n > 0 {
		parts = append(parts, i18n.T(ctx, "policies.d-forbid", "n", n))
	}
	if o.ModelSeesClear {
		parts = append(parts, i18n.T(ctx, "policy.o-clear"))
	}
	if o.Gate != nil {
		parts = append(parts, i18n.T(ctx, "gate.short", "action", gateActionName(ctx, o.Gate.Action)))
	}
	return strings.Join(parts, "; ")
}

// reachTitle repeats the question above its answer.
func reachTitle(ctx context.Context, m PolicyReach) string {
	if m.Subject != "" {
		return i18n.T(ctx, "policies.what-title", "subject", m.Subject)
	}
	object := m.Object
	if object == "" {
		object = i18n.T(ctx, "policies.any-object")
	}
	return i18n.T(ctx, "policies.who-title", "action", ActionName(ctx, m.Action), "object", object)
}
