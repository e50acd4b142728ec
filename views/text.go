package views

import (
	"context"
	"strconv"

	"vitrine/views/i18n"
)

// The names of fixed words (roles, actions, methods, metrics, purposes,
// reasons) live in one catalogue, "name"; a word that an administrator or a
// model brought along is shown as it is.

func roleName(ctx context.Context, role string) string {
	return i18n.Or(ctx, "name.role-"+role, role)
}

func actionName(ctx context.Context, action string) string {
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

func paramName(ctx context.Context, name, help string) string {
	return i18n.Or(ctx, "param."+help, name)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
