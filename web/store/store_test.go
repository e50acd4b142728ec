package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"vitrine/web/db"
	"vitrine/web/db/dbtest"
)

const workspace, other = "01JD0000000000000000000000", "01JD0000000000000000000001"

func openStore(t *testing.T) (*db.DB, *Store) {
	t.Helper()
	dir := t.TempDir()
	d, err := db.OpenURL(context.Background(), dir, dbtest.Address(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, New(d)
}

func write(t *testing.T, d *db.DB, fn func(ctx context.Context) error) {
	t.Helper()
	if err := d.Write(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// id is the n-th ULID of the tests; larger numbers sort later.
func id(n int) string { return fmt.Sprintf("01JD00000000000000000%05d", n) }

// Pages, filters and counts agree, and one workspace never sees another.
func TestPredictionsPageByKeyset(t *testing.T) {
	d, s := openStore(t)
	ctx := context.Background()
	write(t, d, func(ctx context.Context) error {
		for n := range 25 {
			p := &Prediction{ID: id(n), Workspace: workspace, Created: int64(1000 + n), Actor: "user:a", ModelName: "m", ModelVersion: fmt.Sprint(n % 2),
				Purpose: []string{"research", "audit"}[n%2], Input: []byte{1}, Picture: []byte{2}, Clear: []byte{3}, Output: []byte{4}, LabelIndex: fmt.Sprint(n % 3), Masked: 2}
			if n == 24 {
				p.Workspace = other
			}
			if err := s.AddPrediction(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	var seen []string
	for before := ""; ; {
		list, more, err := s.Predictions(ctx, workspace, PredictionFilter{}, before, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			if p.Picture != nil || p.Clear != nil || p.Input == nil {
				t.Error("a list holds pictures or clear text")
			}
			seen = append(seen, p.ID)
		}
		if !more {
			break
		}
		before = list[len(list)-1].ID
	}
	if len(seen) != 24 || seen[0] != id(23) || seen[23] != id(0) {
		t.Fatal(seen)
	}
	for name, c := range map[string]struct {
		f    PredictionFilter
		want int64
	}{
		"all":     {PredictionFilter{}, 24},
		"model":   {PredictionFilter{Model: "m"}, 24},
		"version": {PredictionFilter{Model: "m@1"}, 12},
		"nobody":  {PredictionFilter{Actor: "user:b"}, 0},
		"purpose": {PredictionFilter{Purpose: "audit"}, 12},
		"label":   {PredictionFilter{LabelIndexes: []string{"0"}}, 8},
		"none":    {PredictionFilter{LabelIndexes: []string{}}, 0},
		"time":    {PredictionFilter{After: 1010, Until: 1020}, 10},
	} {
		n, masked, err := s.CountPredictions(ctx, workspace, c.f)
		if err != nil || n != c.want || masked != 2*n {
			t.Errorf("%s: %d (masked %d), want %d: %v", name, n, masked, c.want, err)
		}
		list, _, err := s.Predictions(ctx, workspace, c.f, "", MaxPage)
		if err != nil || int64(len(list)) != n {
			t.Errorf("%s: the list has %d rows, the count says %d: %v", name, len(list), n, err)
		}
	}
	if _, err := s.Prediction(ctx, workspace, id(24)); !errors.Is(err, ErrNotFound) {
		t.Error("another workspace's prediction is found:", err)
	}
}

func TestModels(t *testing.T) {
	d, s := openStore(t)
	ctx := context.Background()
	add := func(n int, name, version, digest string) error {
		return d.Write(ctx, func(ctx context.Context) error {
			return s.AddModel(ctx, &Model{ID: id(n), Workspace: workspace, Name: name, Version: version, Digest: digest})
		})
	}
	for n, err := range []error{add(1, "a", "1", "d1"), add(2, "a", "2", "d2"), add(3, "b", "1", "d1")} {
		if err != nil {
			t.Fatal(n, err)
		}
	}
	if err := add(4, "a", "2", "d3"); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	if m, err := s.ModelByName(ctx, workspace, "a", ""); err != nil || m.Version != "2" {
		t.Fatal(m, err)
	}
	if m, err := s.ModelByName(ctx, workspace, "a", "1"); err != nil || m.Digest != "d1" {
		t.Fatal(m, err)
	}
	if m, err := s.ModelByDigest(ctx, workspace, "d1"); err != nil || m.Name != "b" {
		t.Fatal(m, err)
	}
	if _, err := s.ModelByName(ctx, other, "a", ""); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if list, err := s.Models(ctx, workspace); err != nil || len(list) != 3 || list[0].Version != "2" {
		t.Fatal(list, err)
	}
}

func TestExplanationsAndExports(t *testing.T) {
	d, s := openStore(t)
	ctx := context.Background()
	write(t, d, func(ctx context.Context) error {
		if err := s.AddPrediction(ctx, &Prediction{ID: id(1), Workspace: workspace, Input: []byte{1}, Output: []byte{1}}); err != nil {
			return err
		}
		for n, method := range []string{"saliency", "saliency", "occlusion"} {
			if err := s.AddExplanation(ctx, &Explanation{ID: id(10 + n), Workspace: workspace, Prediction: id(1), Method: method, Created: int64(n), Result: []byte{1}, Record: []byte{2}}); err != nil {
				return err
			}
		}
		return s.AddExport(ctx, &Export{ID: id(20), Workspace: workspace, Format: "csv", Status: Running})
	})
	if err := d.Write(ctx, func(ctx context.Context) error {
		return s.AddExplanation(ctx, &Explanation{ID: id(13), Workspace: workspace, Prediction: id(9), Result: []byte{1}, Record: []byte{2}})
	}); err == nil {
		t.Error("an explanation of no prediction was kept")
	}
	list, err := s.ExplanationsOf(ctx, workspace, id(1))
	if err != nil || len(list) != 3 || list[0].Record != nil || list[0].Result == nil {
		t.Fatal(list, err)
	}
	methods, err := s.MethodsOf(ctx, workspace, []string{id(1)})
	if err != nil || fmt.Sprint(methods[id(1)]) != "[occlusion saliency]" {
		t.Fatal(methods, err)
	}
	if n, err := s.CountExplanations(ctx, workspace, 1); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	// A cancelled export stays cancelled, whatever its maker still writes.
	for _, state := range []string{Cancelled, Done} {
		write(t, d, func(ctx context.Context) error {
			return s.SaveExport(ctx, &Export{ID: id(20), Workspace: workspace, Status: state})
		})
	}
	if e, err := s.Export(ctx, workspace, id(20)); err != nil || e.Status != Cancelled || e.Format != "csv" {
		t.Fatal(e, err)
	}
}

func TestWorkspaceIsMadeOnce(t *testing.T) {
	d, s := openStore(t)
	for n, want := range []bool{true, false} {
		write(t, d, func(ctx context.Context) error {
			w, made, err := s.EnsureWorkspace(ctx, Workspace{ID: id(n), Slug: "default"})
			if err == nil && (made != want || w.ID != id(0)) {
				t.Errorf("%+v made %v", w, made)
			}
			return err
		})
	}
}
