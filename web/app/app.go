package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/db"
	"vitrine/web/store"
)

// Config says how to open an App.
type Config struct {
	Data        string       // data folder
	URL         string       // address that receipts and links begin with; "" = relative
	RootKey     string       // file of the root key; "" = DIR/keys/root
	Concurrency int          // model runs at a time; 0 = 1 per 2 processors, at least 1
	Threads     int          // threads of one model run; 0 = GOMAXPROCS
	Logger      *slog.Logger // nil = discard; never given personal data
	Now         func() time.Time
	// Render draws report.html of an evidence pack; nil leaves it out.
	Render Renderer
}

// App is the opened program. Its methods may be called from any goroutine.
type App struct {
	config    Config
	workspace string // ULID
	db        *db.DB
	store     *store.Store
	log       *auditstore.Log
	models    registry
	active    atomic.Pointer[policy.Snapshot]

	slots   chan struct{} // one element for each model run under way
	waiting atomic.Int64  // requests that wait for a slot
}

// maxWaiting is how many requests may wait for the model before further ones are
// turned away.
const maxWaiting = 1024

// New opens the data folder and everything behind it.
func New(ctx context.Context, c Config) (*App, error) { return &App{config: c}, nil }

// Close ends jobs, sequences the outbox, signs a checkpoint and closes the folder.
func (a *App) Close(ctx context.Context) error { return nil }

// Local is the operator at the machine: whoever can read the data folder's keys.
func (a *App) Local() identity.Caller { return identity.Caller{} }

func (a *App) now() time.Time { return a.config.Now().UTC() }

// snapshot is the policy in force.
func (a *App) snapshot() *policy.Snapshot { return a.active.Load() }

func (a *App) modelView(ctx context.Context, row *store.Model, long bool) (*ModelView, error) {
	return nil, errEarly
}

// receiptOf returns the present receipt of an event.
func (a *App) receiptOf(ctx context.Context, event string) (ReceiptView, error) {
	return ReceiptView{}, errEarly
}
