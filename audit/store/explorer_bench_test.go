package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"vitrine/audit"
	"vitrine/web/db"
)

// benchEvents is the number of entries of the benchmarks of a large log, a million unless
// VITRINE_BENCH_EVENTS says another.
func benchEvents() int64 {
	if n, err := strconv.ParseInt(os.Getenv("VITRINE_BENCH_EVENTS"), 10, 64); err == nil && n > 0 {
		return n
	}
	return 1_000_000
}

// madeEvents fills the log with n entries as years of use leave them: forty actors, four
// models, one refusal in seven, a day for each ten thousandth of the log. It writes rows
// and counters, not the tree.
func madeEvents(b *testing.B, d *db.DB, l *Log, n int64) time.Time {
	b.Helper()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	step := 24 * time.Hour * 100 / time.Duration(n)
	const batchRows = 2000
	for done := int64(1); done < n; {
		err := d.Write(b.Context(), func(ctx context.Context) error {
			first, rows := done, make([]eventRow, 0, batchRows)
			for ; len(rows) < batchRows && done < n; done++ {
				r, err := rowOf(madeEvent(l, done, start.Add(step*time.Duration(done))))
				if err != nil {
					return err
				}
				i := done
				r.Idx = &i
				rows = append(rows, r)
			}
			if err := d.Tx(ctx).Session(&gorm.Session{CreateBatchSize: 200}).Create(&rows).Error; err != nil {
				return err
			}
			return l.count(d.Tx(ctx), rows, first)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return start
}

func madeEvent(l *Log, n int64, at time.Time) audit.Event {
	const hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	id := fmt.Sprintf("01JD%022d", n)
	actor := fmt.Sprintf("key:01JD00000000000000000000%02d", n%40)
	model := []string{"sentiment-minilm", "digits-resnet", "credit-7", "toxic-en"}[n%4]
	e := audit.Event{Version: 1, Workspace: l.o.Workspace, ID: id, Code: "PREDICTION.MADE.OK", Time: audit.FormatTime(at), Actor: actor, Auth: "api-key", Request: id,
		Action: "predict", Object: "prediction:" + id, Model: &audit.Model{ID: model, Version: "1.0.0"}, Purpose: "unspecified",
		Decision: &audit.Decision{Effect: "allow", Reason: "allowed", PolicyVersion: 1, PolicyHash: hash, Rules: []string{"r-001"},
			Asked: audit.Asked{Workspace: l.o.Workspace, Subject: audit.Asker{ID: actor, Roles: []string{"analyst"}}, Action: "predict", Object: "model:" + model}}}
	if n%7 == 0 {
		e.Code, e.Object, e.Decision.Effect, e.Decision.Reason = "PREDICTION.MADE.DENIED", "model:"+model, "deny", "no-rule"
	}
	return e
}

// BenchmarkExplorer measures the queries of the explorer's page, rows and facets
// together, in a log of VITRINE_BENCH_EVENTS entries. Reported: the 95th percentile.
func BenchmarkExplorer(b *testing.B) {
	d, l := openFile(b, b.TempDir(), Options{})
	n := benchEvents()
	if err := l.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	start := madeEvents(b, d, l, n)
	middle := n / 2
	day := start.Add(50 * 24 * time.Hour)
	for _, c := range []struct {
		name string
		q    Query
	}{
		{"newest", Query{}},
		{"deep", Query{Cursor: &middle}},
		{"kind", Query{Kinds: []string{"PREDICTION"}}},
		{"kinds", Query{Kinds: []string{"PREDICTION.MADE.DENIED", "SESSION"}}},
		{"decision", Query{Decision: "deny"}},
		{"model", Query{Model: "credit-7"}},
		{"actor", Query{Actor: "key:01JD0000000000000000000007"}},
		{"actor and kind", Query{Actor: "key:01JD0000000000000000000007", Kinds: []string{"PREDICTION.MADE.DENIED"}}},
		{"day", Query{After: day, Before: day.Add(24 * time.Hour)}},
		{"hours", Query{After: day.Add(3 * time.Hour), Before: day.Add(9 * time.Hour)}},
		{"model and day", Query{Model: "toxic-en", Decision: "allow", After: day, Before: day.Add(240 * time.Hour)}},
		{"object", Query{Object: fmt.Sprintf("prediction:01JD%022d", middle+1)}},
		{"identifier", Query{Text: []string{fmt.Sprintf("01JD%022d", middle+1)}}},
		{"word", Query{Text: []string{"credit-7"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				at := time.Now()
				if _, err := l.Facets(b.Context(), c.q); err != nil {
					b.Fatal(err)
				}
				if _, err := l.Events(b.Context(), c.q); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(at))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}

// BenchmarkInclusion measures inclusion proofs by stored tiles in a tree of
// VITRINE_BENCH_EVENTS leaves.
func BenchmarkInclusion(b *testing.B) {
	d, l := openFile(b, b.TempDir(), Options{})
	n := benchEvents()
	if err := l.Flush(b.Context()); err != nil { // its own first entry: no tile is written later
		b.Fatal(err)
	}
	madeTiles(b, d, l, n)
	var times []time.Duration
	root, err := tlog.TreeHash(n, l.hashes(b.Context()))
	if err != nil {
		b.Fatal(err)
	}
	for i := int64(0); b.Loop(); i++ {
		index := (i * 7_919_317) % n
		at := time.Now()
		proof, err := l.Prove(b.Context(), n, index)
		times = append(times, time.Since(at))
		if err != nil {
			b.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, n, root, index, madeHash(index)); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

func madeHash(n int64) tlog.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// madeTiles writes the tiles of a tree of n made-up leaf hashes.
func madeTiles(b *testing.B, d *db.DB, l *Log, n int64) {
	b.Helper()
	const step = 64 * audit.TileWidth
	for old := int64(0); old < n; old = min(old+step, n) {
		now := min(old+step, n)
		err := d.Write(b.Context(), func(ctx context.Context) error {
			h := l.hashes(ctx)
			for i := old; i < now; i++ {
				if err := h.add(i, madeHash(i)); err != nil {
					return err
				}
			}
			return h.save(d.Tx(ctx), old, now)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
