package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/audit/report"
	auditstore "vitrine/audit/store"
	"vitrine/audit/witness"
	"vitrine/inference/hub"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/policy/identity/oidc"
	"vitrine/policy/privacy"
	policystore "vitrine/policy/store"
	"vitrine/web/db"
	"vitrine/web/job"
	"vitrine/web/store"
)

// Renderer draws the printable report of an evidence pack.
type Renderer = report.Renderer

// Config says how to open an App.
type Config struct {
	Data        string       // data folder
	Database    string       // address of a PostgreSQL database; "" = SQLite in the data folder
	URL         string       // address that links in receipts begin with; "" = relative
	RootKey     string       // file of the root key; "" = DIR/keys/root.key
	Concurrency int          // model runs at a time; 0 = 1 per 2 processors, at least 2
	Threads     int          // threads of one model run; 0 = GOMAXPROCS
	Logger      *slog.Logger // nil = discard; never given personal data
	Now         func() time.Time
	// Render draws report.html of an evidence pack; nil leaves it out.
	Render Renderer
	// Print draws report.pdf of an evidence pack; nil leaves it out.
	Print Renderer
	// OneShot is for commands that end soon: no job queue and no checks in the
	// background; exports of any size are made at once.
	OneShot bool
	// Trust is a C2SP tlog-policy: the witnesses that cosign the root log, and the logs
	// that this installation cosigns as a witness where WitnessName names it as one.
	Trust       []byte
	WitnessName string
	OIDC        *oidc.Config // the identity provider that people may sign in through; nil = none
	// AcceptRestore lets a log go on whose database was put back from an older backup;
	// the loss becomes an entry.
	AcceptRestore bool
	// Sources says where models may be fetched from.
	Sources hub.Config
}

// App is the opened program. Its methods may be called from any goroutine.
type App struct {
	config    Config
	workspace string // ULID
	db        *db.DB
	store     *store.Store
	keys      *policystore.SubjectKeys
	vault     *privacy.Vault
	policies  *policystore.Policies
	people    *identity.Service
	provider  *oidc.Provider // nil where people sign in by password only
	log       *auditstore.Log
	root      *auditstore.Log  // of the heads of log
	trust     *audit.Trust     // nil without one
	witnesses *witness.Client  // nil without a trust policy
	witness   *witness.Witness // nil where this installation witnesses nobody
	queue     *job.Queue       // nil with OneShot
	models    registry

	writers writers // of texts
	denials denials // of the last minute
	quotas  quotas
	slots   chan struct{} // one element for each model run under way
	waiting atomic.Int64  // requests that wait for a slot

	stop       context.CancelFunc // ends what runs in the background
	background sync.WaitGroup
	closing    sync.Once
	exporting  sync.Map // export id → context.CancelFunc
	working    sync.Map // task id → context.CancelFunc
}

// maxWaiting is how many requests may wait for the model before further ones are
// turned away.
const maxWaiting = 1024

// defaultWorkspace is the one workspace of an installation until there are more.
const defaultWorkspace = "default"

// New opens the data folder, making it on first use with the shipped policy and models,
// and everything behind it.
//
// Errors: db.ErrLocked, db.ErrNewerSchema, db.ErrDiskFull; privacy.ErrRootKey and
// audit.ErrKey for key files that are missing or open to others.
func New(ctx context.Context, c Config) (*App, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Concurrency <= 0 {
		c.Concurrency = max(2, runtime.GOMAXPROCS(0)/2)
	}
	a := &App{config: c, slots: make(chan struct{}, c.Concurrency)}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	return a, nil
}

func (a *App) open(ctx context.Context) (err error) {
	if a.db, err = db.OpenURL(ctx, a.config.Data, a.config.Database); err != nil {
		return err
	}
	// Processes that start on one database do so one after another: what is made on the
	// first start is made once.
	if err := a.db.Exclusive(ctx, a.openStores); err != nil {
		return err
	}
	if a.config.OneShot {
		return nil
	}
	var background context.Context
	background, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	if a.queue, err = job.Start(background, a.db, a, 2); err != nil {
		return err
	}
	a.background.Go(func() { a.check(background) })
	a.background.Go(func() { a.anchor(background) })
	a.background.Go(func() { a.schedule(background) })
	if a.db.Postgres() {
		a.background.Go(func() { a.follow(background) })
	}
	return nil
}

func (a *App) openStores(ctx context.Context) (err error) {
	a.store = store.New(a.db)
	if err := a.openVault(ctx); err != nil {
		return err
	}
	a.log, err = auditstore.Open(ctx, a.db, auditstore.Options{
		Workspace: a.workspace, KeysDir: a.keysDir(), Now: a.config.Now, Logger: a.config.Logger, AcceptRestore: a.config.AcceptRestore,
		ReceiptURL: a.receiptURL,
	})
	if err != nil {
		return err
	}
	if err := a.openRoot(ctx); err != nil {
		return err
	}
	if err := a.openPolicy(ctx); err != nil {
		return err
	}
	a.people = identity.New(policystore.NewAccounts(a.db), a.config.Now)
	if a.config.OIDC != nil {
		a.provider = oidc.New(*a.config.OIDC, a.config.URL+"/signin/oidc/callback")
	}
	if err := a.registerShipped(ctx); err != nil {
		return err
	}
	return errors.Join(a.interrupted(ctx), a.abandoned(ctx))
}

// receiptURL is where the receipt of an event is.
func (a *App) receiptURL(event string) string {
	return a.config.URL + "/api/v1/audit/receipts/" + event
}

func (a *App) keysDir() string { return filepath.Join(a.db.Dir(), "keys") }

// openVault finds the workspace and the keys above everything that is kept. The root
// key is made only together with the workspace: a later one would open nothing.
func (a *App) openVault(ctx context.Context) error {
	if err := os.MkdirAll(a.keysDir(), 0o700); err != nil {
		return fmt.Errorf("app: making the key folder: %w", err)
	}
	known, err := a.store.Workspace(ctx, defaultWorkspace)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	file := a.config.RootKey
	if file == "" {
		file = filepath.Join(a.keysDir(), "root.key")
	}
	root, err := privacy.LoadRootKey(file, known == nil)
	if err != nil {
		return err
	}
	if known == nil {
		err := a.db.Write(ctx, func(ctx context.Context) (err error) {
			fresh := store.Workspace{ID: ulid.Make().String(), Slug: defaultWorkspace, Created: a.now().UnixMilli()}
			known, _, err = a.store.EnsureWorkspace(ctx, fresh)
			return err
		})
		if err != nil {
			return err
		}
	}
	a.workspace = known.ID
	if a.keys, err = policystore.OpenSubjectKeys(ctx, a.db); err != nil {
		return err
	}
	if a.vault, err = privacy.NewVault(root, a.keys); err != nil {
		return err
	}
	// Opens the workspace's key, and with it says whether the root key fits.
	_, err = a.vault.Pseudonym(ctx, a.workspace, "")
	return err
}

// openPolicy loads the policy in force, or puts the shipped one into force. A stored
// policy that cannot be read is not replaced: every request is refused until it is put
// right.
func (a *App) openPolicy(ctx context.Context) error {
	a.policies = policystore.NewPolicies(a.db, a.config.Now)
	if _, err := a.policies.Active(ctx, a.workspace); err == nil {
		return nil
	}
	err := a.db.Write(ctx, func(ctx context.Context) error {
		s, installed, err := a.policies.Install(ctx, a.workspace)
		if err != nil || !installed {
			return err
		}
		_, err = a.log.Append(ctx, audit.Event{Code: "POLICY.CREATED.OK", Actor: "system", Object: fmt.Sprintf("policy:%d", s.Version()),
			Codes:   map[string]string{"hash_after": s.Hash()},
			Numbers: map[string]int64{"version_after": s.Version(), "rules_added": int64(len(s.Rules()))}})
		return err
	})
	if errors.Is(err, policystore.ErrNoPolicy) {
		a.config.Logger.Error("the stored policy cannot be used; every request is refused", "error", err)
		return nil
	}
	return err
}

// Close ends jobs, waits until every entry is in the log and signed, and closes the
// folder. ctx bounds the wait for running jobs; an interrupted one runs again at the next
// start.
func (a *App) Close(ctx context.Context) error {
	var errs []error
	if a.stop != nil {
		a.stop()
		a.background.Wait()
	}
	if a.queue != nil {
		errs = append(errs, a.queue.Stop(ctx))
	}
	if a.log != nil {
		errs = append(errs, a.log.Close(context.WithoutCancel(ctx)))
	}
	if a.root != nil {
		errs = append(errs, a.closeRoot(context.WithoutCancel(ctx)))
	}
	a.models.close()
	if a.keys != nil {
		errs = append(errs, a.keys.Close())
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	return errors.Join(errs...)
}

// Local is the operator at the machine: whoever can read the data folder's keys acts
// with all roles, and the log says how they came in.
func (a *App) Local() identity.Caller {
	return identity.Local(a.workspace, "", policy.Roles)
}

// Dir is the data folder.
func (a *App) Dir() string { return a.db.Dir() }

// LogID is the random name of the workspace's log, as in /log/{id}/; VerifierKey is its
// public key, one line.
func (a *App) LogID() string { return a.log.ID() }

// VerifierKey is the log's public key, one line, as `vitrine verify --key` takes it.
func (a *App) VerifierKey() string { return a.log.VerifierKey() }

func (a *App) now() time.Time { return a.config.Now().UTC() }
