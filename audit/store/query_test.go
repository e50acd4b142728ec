package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// mixed appends refusals and page views, n of each, a minute apart, from noon on.
func mixed(t testing.TB, l *Log, n int) {
	t.Helper()
	at := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	err := l.db.Write(t.Context(), func(ctx context.Context) error {
		for i := range n {
			e := denied("PREDICTION.MADE.DENIED")
			e.Time = audit.FormatTime(at.Add(time.Duration(i) * time.Minute))
			if _, err := l.Append(ctx, e); err != nil {
				return err
			}
			v := audit.Event{Code: "PAGE.VIEWED.OK", Actor: "user:local", Object: "page:audit", Time: e.Time}
			if _, err := l.Append(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestQueries(t *testing.T) {
	_, l := open(t, t.TempDir(), Options{})
	mixed(t, l, 60)
	at := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	index := func(i int64) *int64 { return &i }
	for _, c := range []struct {
		name string
		q    Query
		n    int64
	}{
		{"all", Query{}, 121},
		{"kind", Query{Kinds: []string{"PREDICTION"}}, 60},
		{"whole code", Query{Kinds: []string{"PAGE.VIEWED.OK"}}, 60},
		{"two kinds", Query{Kinds: []string{"PAGE", "LOG.CREATED"}}, 61},
		{"half a word", Query{Kinds: []string{"PRED"}}, 0},
		{"actor", Query{Actor: "user:local"}, 60},
		{"model", Query{Model: "sentiment-minilm"}, 60},
		{"decision", Query{Decision: "deny"}, 60},
		{"time", Query{After: at.Add(10 * time.Minute), Before: at.Add(20 * time.Minute)}, 20},
		{"index", Query{First: index(10), Last: index(19)}, 10},
		{"without views", Query{WithoutBestEffort: true}, 61},
		{"word", Query{Text: []string{"sentiment-minilm"}}, 60},
		{"word with a line", Query{Text: []string{"policy_hash"}}, 60},
		{"two words", Query{Text: []string{"sentiment-minilm", "DENIED"}}, 60},
		{"identifier", Query{Text: []string{"user:local"}}, 60},
		{"unknown identifier", Query{Text: []string{"01JD0000000000000000000000"}}, 0},
		{"word that is none", Query{Text: []string{"senti_ent"}}, 0},
		{"half a day", Query{After: at.Add(10 * time.Minute)}, 100},
		{"together", Query{Kinds: []string{"PAGE", "PREDICTION"}, Actor: "user:local", Last: index(20)}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			counts, err := l.Counts(t.Context(), c.q)
			if err != nil || counts.Total != c.n {
				t.Errorf("%d, want %d (%v)", counts.Total, c.n, err)
			}
			if f, err := l.Facets(t.Context(), c.q); err != nil || f.Total != c.n || f.More {
				t.Errorf("facets: %d, want %d (%v)", f.Total, c.n, err)
			}
			for _, ascending := range []bool{true, false} {
				q, seen := c.q, []int64(nil)
				q.Ascending, q.Limit = ascending, 7
				for {
					p, err := l.Events(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range p.Entries {
						seen = append(seen, e.Index)
					}
					if p.Next == nil {
						break
					}
					q.Cursor = p.Next
				}
				if !ascending {
					slices.Reverse(seen)
				}
				if int64(len(seen)) != c.n || !slices.IsSorted(seen) || len(slices.Compact(seen)) != len(seen) {
					t.Errorf("pages hold %v", seen)
				}
			}
		})
	}
	for _, bad := range []Query{{Kinds: []string{"%"}}, {Kinds: []string{"prediction"}}, {Decision: "maybe"}, {Limit: MaxPage + 1}, {Limit: -1}, {Kinds: make([]string, 33)}} {
		if _, err := l.Events(t.Context(), bad); !errors.Is(err, ErrQuery) {
			t.Errorf("%+v: %v, want ErrQuery", bad, err)
		}
	}
	if _, err := l.Event(t.Context(), "9999"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown index: %v", err)
	}
	if _, err := l.Receipt(t.Context(), "01JD0000000000000000000000"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown event: %v", err)
	}
}

// TestTiles reads the log as a C2SP client would: every served tile, in every form
// that the tree has, authenticated by tlog, and every entry bundle.
func TestTiles(t *testing.T) {
	_, l := open(t, t.TempDir(), Options{})
	fill(t, l, 600)
	head, _, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reader := tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, served{t, l})
	var index int64
	for n := int64(0); n*audit.TileWidth < head.Size; n++ {
		path := audit.TilePath(tlog.Tile{H: 8, L: -1, N: n, W: int(min(audit.TileWidth, head.Size-n*audit.TileWidth))})
		bundle, err := l.Tile(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		leaves, err := audit.SplitBundle(bundle)
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range leaves {
			hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			if err != nil {
				t.Fatal(err)
			}
			if hashes[0] != audit.LeafHash(leaf) {
				t.Fatalf("entry %d", index)
			}
			index++
		}
	}
	if index != 601 {
		t.Errorf("%d entries", index)
	}
	for _, path := range []string{"tile/0/003", "tile/0/002", "tile/0/002.p/90", "tile/1/000.p/3", "tile/2/000.p/1", "tile/entries/002", "tile/entries/../000", "", "tile/9/000"} {
		if _, err := l.Tile(t.Context(), path); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v, want ErrNotFound", path, err)
		}
	}
	if data, err := l.Tile(t.Context(), "tile/0/000.p/3"); err != nil || len(data) != 3*tlog.HashSize {
		t.Errorf("a narrower form: %d bytes, %v", len(data), err)
	}
}

// served is the log seen through Tile.
type served struct {
	t *testing.T
	l *Log
}

func (s served) Height() int                             { return audit.TileHeight }
func (s served) SaveTiles(tiles []tlog.Tile, _ [][]byte) {}
func (s served) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range tiles {
		data, err := s.l.Tile(s.t.Context(), audit.TilePath(tile))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", audit.TilePath(tile), err)
		}
		out = append(out, data)
	}
	return out, nil
}
