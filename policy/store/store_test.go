package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/policy/privacy"
	"vitrine/web/db"
	"vitrine/web/db/dbtest"
)

func openDB(t testing.TB) *db.DB {
	t.Helper()
	dir := t.TempDir()
	d, err := db.OpenURL(context.Background(), dir, dbtest.Address(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestPolicyVersions(t *testing.T) {
	ctx := context.Background()
	d := openDB(t)
	p := NewPolicies(d, nil)
	if _, err := p.Active(ctx, "w1"); !errors.Is(err, ErrNoPolicy) {
		t.Fatal(err)
	}
	ask := policy.Request{Workspace: "w1", Subject: policy.Subject{ID: "user:x", Roles: []string{policy.Analyst}}, Action: policy.Export, Object: "audit"}
	if got := p.Decide(ctx, ask); got.Allow || got.Reason != policy.ReasonUnavailable {
		t.Fatalf("without a policy: %+v", got)
	}
	s1, installed, err := p.Install(ctx, "w1")
	if err != nil || !installed || s1.Version() != 1 {
		t.Fatal(installed, err)
	}
	if _, installed, err = p.Install(ctx, "w1"); err != nil || installed {
		t.Fatal("installed twice", err)
	}
	if got := p.Decide(ctx, ask); got.Allow || got.PolicyVersion != 1 {
		t.Fatalf("%+v", got)
	}
	other := NewPolicies(d, nil)
	if got := other.Decide(ctx, ask); got.Allow {
		t.Fatalf("%+v", got)
	}
	rules, err := policy.SetCell(s1.Rules(), "w1", policy.Edit{Role: policy.Analyst, Action: policy.Export, Effect: policy.CellAllow})
	if err != nil {
		t.Fatal(err)
	}
	change := Change{Workspace: "w1", Base: 1, Rules: rules, Author: "user:admin", Reason: "analysts export"}

	// A change that is rolled back never comes into force.
	boom := errors.New("boom")
	err = d.Write(ctx, func(ctx context.Context) error {
		if _, err := p.Change(ctx, change); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || p.Decide(ctx, ask).Allow {
		t.Fatal("a rolled back change is in force", err)
	}
	// Two administrators race: one wins, the other hears of it.
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() { _, results[i] = p.Change(ctx, change) })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrConflict) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Fatalf("%d changes won", won)
	}
	if got := p.Decide(ctx, ask); !got.Allow || got.PolicyVersion != 2 {
		t.Fatalf("after the change: %+v", got)
	}
	// Another process that knew the version before hears of it.
	if err := other.Follow(ctx, "w1"); err != nil {
		t.Fatal(err)
	}
	if got := other.Decide(ctx, ask); !got.Allow || got.PolicyVersion != 2 {
		t.Fatalf("in another process: %+v", got)
	}
	v, s, err := p.VersionByHash(ctx, "w1", s1.Hash())
	if err != nil || v.Number != 1 || s.Hash() != s1.Hash() {
		t.Fatal(v, err)
	}
	list, err := p.Versions(ctx, "w1", 0, 10)
	if err != nil || len(list) != 2 || list[0].Reason != "analysts export" || list[1].Author != "system" {
		t.Fatal(list, err)
	}
	// A new process reads the same.
	if got := NewPolicies(d, nil).Decide(ctx, ask); !got.Allow {
		t.Fatalf("%+v", got)
	}
}

func TestPolicyRefused(t *testing.T) {
	ctx := context.Background()
	p := NewPolicies(openDB(t), nil)
	s, _, err := p.Install(ctx, "w1")
	if err != nil {
		t.Fatal(err)
	}
	try := func(edit func(c *Change)) error {
		c := Change{Workspace: "w1", Base: 1, Rules: s.Rules(), Author: "user:a", Reason: "r"}
		edit(&c)
		_, err := p.Change(ctx, c)
		return err
	}
	var lint *LintError
	if err := try(func(c *Change) { c.Rules = nil }); !errors.As(err, &lint) {
		t.Error("no rules at all:", err)
	}
	if err := try(func(c *Change) { c.Rules[0].Effect = "alow" }); !errors.As(err, &lint) {
		t.Error("a typo:", err)
	}
	if err := try(func(c *Change) { c.Rules[0].Obligations.Mask = []string{"emial"} }); !errors.As(err, &lint) {
		t.Error("an unknown mask:", err)
	}
	if err := try(func(c *Change) { c.Reason = " " }); !errors.Is(err, policy.ErrRule) {
		t.Error("no reason:", err)
	}
	if err := try(func(c *Change) { c.Base = 7 }); !errors.Is(err, ErrConflict) {
		t.Error("another base:", err)
	}
	if err := try(func(c *Change) { c.Workspace = "w2" }); err == nil {
		t.Error("another workspace's rules were stored")
	}
}

// A bad row forced into the database closes that workspace and no other.
func TestBrokenRowFailsClosed(t *testing.T) {
	ctx := context.Background()
	d := openDB(t)
	p := NewPolicies(d, nil)
	for _, w := range []string{"w1", "w2"} {
		if _, _, err := p.Install(ctx, w); err != nil {
			t.Fatal(err)
		}
	}
	err := d.Write(ctx, func(ctx context.Context) error {
		var row versionRow
		if err := d.Tx(ctx).Where("workspace = 'w1'").Take(&row).Error; err != nil {
			return err
		}
		return d.Tx(ctx).Model(&row).Update("content", bytes.ReplaceAll(row.Content, []byte(`"deny"`), []byte(`"dany"`))).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	p = NewPolicies(d, nil)
	ask := func(w string) policy.Decision {
		return p.Decide(ctx, policy.Request{Workspace: w, Subject: policy.Subject{ID: "user:x", Roles: policy.Roles}, Action: policy.PolicyRead, Object: "policy"})
	}
	if got := ask("w1"); got.Allow || got.Reason != policy.ReasonUnavailable {
		t.Errorf("w1: %+v", got)
	}
	if got := ask("w2"); !got.Allow {
		t.Errorf("w2: %+v", got)
	}
	if _, installed, err := p.Install(ctx, "w1"); installed || err == nil {
		t.Error("a broken policy was replaced by the shipped one")
	}
}

func TestAccounts(t *testing.T) {
	ctx := context.Background()
	d := openDB(t)
	a := NewAccounts(d)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	u := identity.User{ID: "user:1", Workspace: "w1", Name: "Anna", Roles: []string{"admin", "analyst"}, PasswordHash: "h", Created: now}
	if err := a.AddUser(ctx, u); err != nil {
		t.Fatal(err)
	}
	if got, err := a.User(ctx, "user:1"); err != nil || fmt.Sprint(got) != fmt.Sprint(u) {
		t.Errorf("%+v %v", got, err)
	}
	for _, name := range []string{"anna", "ANNA", "Ａｎｎａ"} {
		if got, err := a.UserByName(ctx, "w1", name); err != nil || got.ID != u.ID {
			t.Errorf("%s: %v", name, err)
		}
		twin := u
		twin.ID, twin.Name = "user:2", name
		if err := a.AddUser(ctx, twin); !errors.Is(err, identity.ErrExists) {
			t.Errorf("a second %s: %v", name, err)
		}
	}
	if _, err := a.UserByName(ctx, "w2", "Anna"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("another workspace: %v", err)
	}
	owner := identity.User{ID: "user:3", Workspace: "w1", Name: "Bo", Roles: []string{"administrator-not", "model-owner"}}
	if err := a.AddUser(ctx, owner); err != nil {
		t.Fatal(err)
	}
	if n, err := a.CountAdmins(ctx, ""); n != 1 || err != nil {
		t.Errorf("%d administrators, %v", n, err)
	}
	if err := a.SetDisabled(ctx, "user:1", now); err != nil {
		t.Fatal(err)
	}
	if n, _ := a.CountAdmins(ctx, "w1"); n != 0 {
		t.Errorf("%d administrators after disabling", n)
	}
	if err := a.SetRoles(ctx, "user:9", nil); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("nobody's roles: %v", err)
	}
	if list, err := a.Users(ctx, "w1"); err != nil || len(list) != 2 || list[0].Name != "Anna" {
		t.Errorf("%v %v", list, err)
	}
	session := identity.Session{ID: "s1", TokenHash: "t1", Workspace: "w1", UserID: "user:1", Auth: "password", Created: now, Seen: now, Expires: now.Add(time.Hour)}
	if err := a.AddSession(ctx, session); err != nil {
		t.Fatal(err)
	}
	if got, err := a.SessionByToken(ctx, "t1"); err != nil || got != session {
		t.Errorf("%+v %v", got, err)
	}
	later := session
	later.ID, later.TokenHash, later.Created = "s2", "t2", now.Add(2*time.Hour)
	if err := a.AddSession(ctx, later); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SessionByToken(ctx, "t1"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("a session past its limit is still there: %v", err)
	}
	key := identity.Key{ID: "key:1", Workspace: "w1", Name: "ci", Prefix: "vk_1", Hash: "h", Roles: []string{"analyst"}, Owner: "user:1", Created: now}
	if err := a.AddKey(ctx, key); err != nil {
		t.Fatal(err)
	}
	if got, err := a.KeyByPrefix(ctx, "vk_1"); err != nil || fmt.Sprint(got) != fmt.Sprint(key) {
		t.Errorf("%+v %v", got, err)
	}
	// In a transaction that fails nothing stays.
	d.Write(ctx, func(ctx context.Context) error {
		if err := a.SetKeyDisabled(ctx, "key:1", now); err != nil {
			t.Error(err)
		}
		return errors.New("boom")
	})
	if got, _ := a.KeyByPrefix(ctx, "vk_1"); !got.Disabled.IsZero() {
		t.Error("a rolled back change stayed")
	}
}

func TestSubjectKeys(t *testing.T) {
	ctx := context.Background()
	d := openDB(t)
	dir := d.Dir()
	k, err := OpenSubjectKeys(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	root := bytes.Repeat([]byte{3}, privacy.KeySize)
	v, _ := privacy.NewVault(root, k)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, err := v.SubjectKey(ctx, "w1", fmt.Sprintf("subject:%d", i%100), true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ref := privacy.Ref{Workspace: "w1", Subject: "subject:1", Record: "r", Field: "input"}
	sealed, err := v.Seal(ctx, ref, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := k.db.Model(&subjectKeyRow{}).Count(&n).Error; err != nil || n != 101 {
		t.Errorf("%d keys, %v", n, err)
	}
	wrapped, _, _ := k.GetKey(ctx, "w1", "subject:1")
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, KeysFileName)); !d.Postgres() && (err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/') {
		t.Errorf("mode of keys.db: %v %v", info, err)
	}
	if k, err = OpenSubjectKeys(ctx, d); err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	v, _ = privacy.NewVault(root, k)
	if got, err := v.Open(ctx, ref, sealed); err != nil || string(got) != "hello" {
		t.Fatalf("after opening again: %q %v", got, err)
	}
	if err := v.Erase(ctx, "w1", "subject:1"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open(ctx, ref, sealed); !errors.Is(err, privacy.ErrErased) {
		t.Errorf("after erasing: %v", err)
	}
	// No file keeps a copy of the wrapped key.
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil && bytes.Contains(data, wrapped) {
			t.Errorf("%s still holds the erased key", filepath.Base(f))
		}
	}
}

// Every table carries a workspace.
func TestWorkspaceColumns(t *testing.T) {
	d := openDB(t)
	for _, table := range []string{"policy_versions", "users", "sessions", "api_keys"} {
		if !d.Read(context.Background()).Migrator().HasColumn(table, "workspace") {
			t.Error(table)
		}
	}
}
