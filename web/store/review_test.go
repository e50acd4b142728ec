package store

import (
	"context"
	"errors"
	"testing"
)

// A review is decided once; the figures count what was decided and what waits.
func TestReviews(t *testing.T) {
	d, s := openStore(t)
	ctx := context.Background()
	write(t, d, func(ctx context.Context) error {
		p := &Prediction{ID: id(1), Workspace: workspace, Input: []byte{1}, Output: []byte{2}}
		if err := s.AddPrediction(ctx, p); err != nil {
			return err
		}
		for n := range 3 {
			r := &Review{ID: id(10 + n), Workspace: workspace, Created: int64(100 + n), Prediction: p.ID, Explanation: []string{"", id(5), id(6)}[n], Cause: "asked", Codes: "[]", State: ReviewOpen}
			if err := s.AddReview(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	list, more, err := s.Reviews(ctx, workspace, false, "", 2)
	if err != nil || len(list) != 2 || !more || list[0].ID != id(10) {
		t.Fatal(list, more, err)
	}
	r := list[0]
	r.State, r.Reviewer, r.Started = ReviewStarted, "user:r", 1000
	write(t, d, func(ctx context.Context) error { return s.MoveReview(ctx, &r, ReviewOpen) })
	r.State, r.Decided, r.Verdict = ReviewOverridden, 9000, []byte{1}
	write(t, d, func(ctx context.Context) error { return s.MoveReview(ctx, &r, ReviewStarted) })
	if err := d.Write(ctx, func(ctx context.Context) error { return s.MoveReview(ctx, &r, ReviewStarted) }); !errors.Is(err, ErrReviewState) {
		t.Fatal("decided twice:", err)
	}
	f, err := s.FiguresOfReviews(ctx, workspace, "", 1, 10_000)
	if want := (ReviewFigures{Waiting: 2, Oldest: 101, Overridden: 1, Task: 8000, Quick: 1}); err != nil || f != want {
		t.Fatalf("%+v, want %+v: %v", f, want, err)
	}
	if f, err := s.FiguresOfReviews(ctx, workspace, "user:x", 1, 10_000); err != nil || f.Overridden != 0 || f.Waiting != 2 {
		t.Fatal(f, err)
	}
	if _, err := s.WaitingReview(ctx, workspace, id(1), id(5)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.WaitingReview(ctx, workspace, id(1), ""); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if f, err := s.FiguresOfReviews(ctx, other, "", 0, 1); err != nil || f != (ReviewFigures{}) {
		t.Fatal("another workspace counts:", f, err)
	}
}

// A stop holds every version of a model until it is started, and shows with its row.
func TestModelStops(t *testing.T) {
	d, s := openStore(t)
	ctx := context.Background()
	write(t, d, func(ctx context.Context) error {
		for n, version := range []string{"1", "2"} {
			if err := s.AddModel(ctx, &Model{ID: id(n), Workspace: workspace, Name: "a", Version: version, Digest: "d" + version}); err != nil {
				return err
			}
		}
		return s.AddModel(ctx, &Model{ID: id(3), Workspace: other, Name: "a", Version: "1", Digest: "d1"})
	})
	stop := &ModelStop{ID: id(7), Workspace: workspace, ModelName: "a", Stopped: 5, StoppedBy: "user:x", Reason: "r"}
	write(t, d, func(ctx context.Context) error { return s.StopModel(ctx, stop) })
	again := *stop
	again.ID = id(8)
	if err := d.Write(ctx, func(ctx context.Context) error { return s.StopModel(ctx, &again) }); !errors.Is(err, ErrExists) {
		t.Fatal("stopped twice:", err)
	}
	for _, version := range []string{"", "1", "2"} {
		if m, err := s.ModelByName(ctx, workspace, "a", version); err != nil || !m.Stopped {
			t.Fatal(version, m, err)
		}
	}
	if m, err := s.ModelByDigest(ctx, workspace, "d2"); err != nil || !m.Stopped {
		t.Fatal(m, err)
	}
	if m, err := s.ModelByName(ctx, other, "a", ""); err != nil || m.Stopped {
		t.Fatal("a stop holds another workspace's model:", m, err)
	}
	stop.Started, stop.StartedBy, stop.StartedReason = 9, "user:y", "s"
	write(t, d, func(ctx context.Context) error { return s.StartModel(ctx, stop) })
	if list, err := s.Models(ctx, workspace); err != nil || len(list) != 2 || list[0].Stopped {
		t.Fatal(list, err)
	}
	if err := d.Write(ctx, func(ctx context.Context) error { return s.StartModel(ctx, stop) }); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	write(t, d, func(ctx context.Context) error { return s.StopModel(ctx, &again) })
	if list, err := s.StopsOf(ctx, workspace, "a"); err != nil || len(list) != 2 || list[0].ID != again.ID || list[1].StartedReason != "s" {
		t.Fatal(list, err)
	}
}
