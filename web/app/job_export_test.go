package app

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vitrine/audit/report"
	"vitrine/web/db/dbtest"
	"vitrine/web/store"
)

// withBigJobs makes every export a job for one test.
func withBigJobs(t *testing.T) {
	before := jobThreshold
	jobThreshold = 0
	t.Cleanup(func() { jobThreshold = before })
}

// slowReport is a renderer that says when it begins and waits to be let go.
type slowReport struct{ begun, release chan struct{} }

func (s slowReport) render(w io.Writer, _ *report.Report) error {
	s.begun <- struct{}{}
	<-s.release
	_, err := w.Write([]byte("<!doctype html>"))
	return err
}

func await(t *testing.T, a *App, id, status string) *ExportView {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		x, err := a.Export(context.Background(), a.Local(), id)
		if err != nil {
			t.Fatal(err)
		}
		if x.Status == status {
			return x
		}
		if time.Now().After(deadline) {
			t.Fatalf("the export stays %s, not %s", x.Status, status)
		}
	}
}

func TestBigExportIsAJob(t *testing.T) {
	withBigJobs(t)
	a := openApp(t, "", false)
	ctx := context.Background()
	for _, format := range []string{"csv", "pack"} {
		x, err := a.StartExport(ctx, a.Local(), ExportRequest{Format: format})
		if err != nil || !x.Job {
			t.Fatalf("%+v %v", x, err)
		}
		if x = await(t, a, x.ID, store.Done); x.Done != x.Total || x.Bytes == 0 || x.Finished == nil {
			t.Fatalf("%+v", x)
		}
		if err := a.CancelExport(ctx, a.Local(), x.ID); err == nil {
			t.Fatal("a finished export was cancelled")
		}
	}
}

func TestCancelledExportLeavesNothing(t *testing.T) {
	withBigJobs(t)
	slow := slowReport{make(chan struct{}, 1), make(chan struct{})}
	dir := t.TempDir()
	ctx := context.Background()
	a, err := New(ctx, Config{Data: dir, Database: dbtest.Address(t, dir), Render: slow.render})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(ctx)
	x, err := a.StartExport(ctx, a.Local(), ExportRequest{Format: "pack"})
	if err != nil {
		t.Fatal(err)
	}
	<-slow.begun
	if err := a.CancelExport(ctx, a.Local(), x.ID); err != nil {
		t.Fatal(err)
	}
	close(slow.release)
	await(t, a, x.ID, store.Cancelled)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		files, _ := filepath.Glob(filepath.Join(dir, "exports", "*"))
		if len(files) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("files are left: %v", files)
		}
	}
	if _, _, err := a.ExportFile(ctx, a.Local(), x.ID); err == nil {
		t.Fatal("a cancelled export has a file")
	}
	if count(events(t, a), "EXPORT.MADE.FAILED") != 1 {
		t.Fatal("the cancelling is not in the log")
	}
}

// TestInterruptedExportRunsAgain: the program ends in the middle of a job; at the next
// start the job makes its file.
func TestInterruptedExportRunsAgain(t *testing.T) {
	withBigJobs(t)
	slow := slowReport{make(chan struct{}, 1), make(chan struct{})}
	dir := t.TempDir()
	ctx := context.Background()
	a, err := New(ctx, Config{Data: dir, Database: dbtest.Address(t, dir), Render: slow.render})
	if err != nil {
		t.Fatal(err)
	}
	x, err := a.StartExport(ctx, a.Local(), ExportRequest{Format: "pack"})
	if err != nil {
		t.Fatal(err)
	}
	<-slow.begun
	time.AfterFunc(300*time.Millisecond, func() { close(slow.release) })
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := a.Close(short); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "exports", x.ID+".zip")); err == nil {
		t.Fatal("the interrupted job left a file")
	}
	a = openApp(t, dir, false)
	if x = await(t, a, x.ID, store.Done); x.Bytes == 0 {
		t.Fatalf("%+v", x)
	}
	if count(events(t, a), "EXPORT.MADE.OK") != 1 {
		t.Fatal("the export is not in the log once")
	}
}
