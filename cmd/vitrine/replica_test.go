package main

import (
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"vitrine/web/app"
	"vitrine/web/db/dbtest"
)

// TestThreeReplicas: three servers on one PostgreSQL database answer at once, one of them
// is killed in the middle; no acknowledged prediction is missing from
// the log, which verifies, and a policy changed at one is in force at the others.
// .ci/run runs it against a server.
func TestThreeReplicas(t *testing.T) {
	if !dbtest.Postgres() {
		t.Skip(dbtest.Variable + " names no server")
	}
	dir := t.TempDir()
	t.Setenv(databaseVariable, dbtest.Address(t, dir))
	var (
		replicas [3]*server
		wg       sync.WaitGroup
	)
	for i := range replicas { // all at once on an empty database
		replicas[i] = prepare(t, dir)
		wg.Go(replicas[i].ready)
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	replicas[0].addKey()
	var ids [3][]string
	for i, s := range replicas {
		s.key = replicas[0].key
		wg.Go(func() {
			ids[i] = s.load(200, func(done int64) {
				if i == 0 && done == 40 {
					_ = s.cmd.Process.Kill()
				}
			})
		})
	}
	wg.Wait()
	if len(ids[0]) < 40 || len(ids[0]) == 200 || len(ids[1]) != 200 || len(ids[2]) != 200 {
		t.Errorf("acknowledged: %d of the killed one, %d and %d of 200", len(ids[0]), len(ids[1]), len(ids[2]))
	}
	replicas[2].holds(append(append(ids[0], ids[1]...), ids[2]...))

	var matrix app.PolicyView
	if status, err := replicas[1].call(http.MethodGet, "/api/v1/policies", nil, &matrix); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	change := app.PolicyChange{Base: matrix.Version, Reason: "replicas follow", Cells: []app.PolicyCell{{Role: "analyst", Action: "export", Effect: "allow"}}}
	if status, err := replicas[1].call(http.MethodPost, "/api/v1/policies", change, nil); err != nil || status != http.StatusCreated {
		t.Fatal(status, err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var there app.PolicyView
		if status, err := replicas[2].call(http.MethodGet, "/api/v1/policies", nil, &there); err != nil || status != http.StatusOK {
			t.Fatal(status, err)
		}
		if there.Version > matrix.Version {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the other replica did not hear of the new policy")
		}
	}
	pack := filepath.Join(t.TempDir(), "p.zip")
	for _, args := range [][]string{{"export", "--data", dir, "--format", "pack", "--out", pack}, {"verify", pack}} {
		if out, err := vitrineCommand(t, args...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
