package app

import (
	"context"
	"errors"
	"io"
	"time"

	"vitrine/policy/identity"
)

var errEarly = errors.New("app: not open")

// StartExport makes the file at once, or as a job where it holds over 10,000 events.
func (a *App) StartExport(ctx context.Context, c identity.Caller, r ExportRequest) (*ExportView, error) {
	return nil, errEarly
}
func (a *App) Exports(ctx context.Context, c identity.Caller, p Page) (items []ExportView, next string, err error) {
	return nil, "", errEarly
}
func (a *App) Export(ctx context.Context, c identity.Caller, id string) (*ExportView, error) {
	return nil, errEarly
}

// ExportFile opens a finished export. The caller closes it.
func (a *App) ExportFile(ctx context.Context, c identity.Caller, id string) (io.ReadSeekCloser, *ExportView, error) {
	return nil, nil, errEarly
}
func (a *App) CancelExport(ctx context.Context, c identity.Caller, id string) error { return errEarly }

func (a *App) Dashboard(ctx context.Context, c identity.Caller, since time.Time) (*DashboardView, error) {
	return nil, errEarly
}

// SeedDemo makes one account a role, real predictions and refusals, and returns the
// sign-in tokens, one a role.
func (a *App) SeedDemo(ctx context.Context) ([]DemoAccount, error) { return nil, errEarly }
