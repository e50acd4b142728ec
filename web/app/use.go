package app

import (
	"context"
	"errors"
	"io"
	"time"

	"vitrine/policy/identity"
)

// Renderer draws the printable report of an evidence pack.
type Renderer func(w io.Writer, model any, language string) error

var errEarly = errors.New("app: not open")

func (a *App) Preview(ctx context.Context, c identity.Caller, r PreviewRequest) (*PreviewView, error) {
	return nil, errEarly
}

func (a *App) Models(ctx context.Context, c identity.Caller) ([]ModelView, error) {
	return nil, errEarly
}

// Model returns one model by name, name@version or digest.
func (a *App) Model(ctx context.Context, c identity.Caller, name string) (*ModelView, error) {
	return nil, errEarly
}

func (a *App) Methods(ctx context.Context, c identity.Caller, model string) ([]MethodView, error) {
	return nil, errEarly
}
func (a *App) AuditEvents(ctx context.Context, c identity.Caller, q EventQuery) (*EventList, error) {
	return nil, errEarly
}
func (a *App) AuditEvent(ctx context.Context, c identity.Caller, index int64) (*EventDetail, error) {
	return nil, errEarly
}

// Receipt returns the receipt of an event, for the caller whose event it is or an auditor.
func (a *App) Receipt(ctx context.Context, c identity.Caller, event string) (*ReceiptView, error) {
	return nil, errEarly
}

// LogTile returns a file of the log's public layout: "checkpoint", "tile/…", "tile/entries/…".
func (a *App) LogTile(ctx context.Context, c identity.Caller, logID, path string) ([]byte, error) {
	return nil, errEarly
}
func (a *App) VerifyLog(ctx context.Context, c identity.Caller) (*HealthView, error) {
	return nil, errEarly
}

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
func (a *App) Policy(ctx context.Context, c identity.Caller) (*PolicyView, error) {
	return nil, errEarly
}
func (a *App) ChangePolicy(ctx context.Context, c identity.Caller, r PolicyChange) (*PolicyView, error) {
	return nil, errEarly
}

// SignIn opens a session. address is the client's network address, for the delay only.
func (a *App) SignIn(ctx context.Context, name, password, address string) (token string, c identity.Caller, err error) {
	return "", identity.Caller{}, errEarly
}

// SignInDemo opens a session from a demo link.
func (a *App) SignInDemo(ctx context.Context, linkToken, address string) (token string, c identity.Caller, err error) {
	return "", identity.Caller{}, errEarly
}
func (a *App) SignOut(ctx context.Context, c identity.Caller) error { return errEarly }

// Session returns the caller of a session token: ErrSession where there is none.
func (a *App) Session(ctx context.Context, token string) (identity.Caller, error) {
	return identity.Caller{}, errEarly
}

// APIKey returns the caller of an API key: ErrSession where it is not valid.
func (a *App) APIKey(ctx context.Context, key, address string) (identity.Caller, error) {
	return identity.Caller{}, errEarly
}

// SetupToken returns the token of the one-time set-up link, "" once an administrator exists.
func (a *App) SetupToken(ctx context.Context) (string, error) { return "", errEarly }

// Setup makes the first administrator and signs in.
func (a *App) Setup(ctx context.Context, setupToken, name, password, address string) (token string, c identity.Caller, err error) {
	return "", identity.Caller{}, errEarly
}

// SetupValid says whether a set-up link still works.
func (a *App) SetupValid(ctx context.Context, setupToken string) bool { return false }
func (a *App) Users(ctx context.Context, c identity.Caller) ([]UserView, error) {
	return nil, errEarly
}
func (a *App) AddUser(ctx context.Context, c identity.Caller, name, password string, roles []string) (*UserView, error) {
	return nil, errEarly
}
func (a *App) DisableUser(ctx context.Context, c identity.Caller, name string) error { return errEarly }
func (a *App) Keys(ctx context.Context, c identity.Caller) ([]KeyView, error)        { return nil, errEarly }

// AddKey makes an API key; expires zero = never.
func (a *App) AddKey(ctx context.Context, c identity.Caller, name string, roles []string, expires time.Time) (*NewKey, error) {
	return nil, errEarly
}
func (a *App) DisableKey(ctx context.Context, c identity.Caller, id string) error { return errEarly }
func (a *App) Dashboard(ctx context.Context, c identity.Caller, since time.Time) (*DashboardView, error) {
	return nil, errEarly
}

// SeedDemo makes one account a role, real predictions and refusals, and returns the
// sign-in tokens, one a role.
func (a *App) SeedDemo(ctx context.Context) ([]DemoAccount, error) { return nil, errEarly }
