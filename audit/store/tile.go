package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"vitrine/audit"
)

// hashes reads the stored hashes of one log through its tiles, and holds the new
// ones of a batch until they are written. It lives for one transaction or proof
// and is used by one goroutine.
type hashes struct {
	ctx   context.Context
	log   *Log
	tiles map[tileKey][]byte
	fresh map[int64]tlog.Hash // by storage index
}

type tileKey struct {
	level int
	n     int64
}

func (l *Log) hashes(ctx context.Context) *hashes {
	return &hashes{ctx: ctx, log: l, tiles: map[tileKey][]byte{}, fresh: map[int64]tlog.Hash{}}
}

// ReadHashes is tlog.HashReader.
func (h *hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if f, ok := h.fresh[x]; ok {
			out[i] = f
			continue
		}
		t := tlog.TileForIndex(audit.TileHeight, x)
		data, err := h.tile(t.L, t.N)
		if err != nil {
			return nil, err
		}
		if out[i], err = tlog.HashFromTile(t, data, x); err != nil {
			return nil, fmt.Errorf("audit/store: tile level %d number %d is too short: %w", t.L, t.N, ErrDamaged)
		}
	}
	return out, nil
}

func (h *hashes) tile(level int, n int64) ([]byte, error) {
	key := tileKey{level, n}
	if data, ok := h.tiles[key]; ok {
		return data, nil
	}
	var row tileRow
	err := h.log.db.Read(h.ctx).Where("workspace = ? AND level = ? AND n = ?", h.log.o.Workspace, level, n).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("audit/store: tile level %d number %d is missing: %w", level, n, ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("audit/store: reading a tile: %w", err)
	}
	h.tiles[key] = row.Data
	return row.Data, nil
}

// add puts a leaf hash at index n among the fresh hashes.
func (h *hashes) add(n int64, leaf tlog.Hash) error {
	list, err := tlog.StoredHashesForRecordHash(n, leaf, h)
	if err != nil {
		return err
	}
	at := tlog.StoredHashIndex(0, n)
	for i, x := range list {
		h.fresh[at+int64(i)] = x
	}
	return nil
}

// save writes the tiles that changed when the tree grew from old to now.
func (h *hashes) save(tx *gorm.DB, old, now int64) error {
	for _, t := range tlog.NewTiles(audit.TileHeight, old, now) {
		data, err := tlog.ReadTileData(t, h)
		if err != nil {
			return err
		}
		row := tileRow{Workspace: h.log.o.Workspace, Level: t.L, N: t.N, Data: data}
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
			return fmt.Errorf("audit/store: writing a tile: %w", err)
		}
	}
	return nil
}

// Tile returns the bytes behind a C2SP path (tile/<L>/<N>[.p/<W>],
// tile/entries/<N>[.p/<W>]) or ErrNotFound for what the log does not hold.
func (l *Log) Tile(ctx context.Context, path string) ([]byte, error) {
	t, err := audit.ParseTilePath(path)
	if err != nil {
		return nil, fmt.Errorf("audit/store: %w: %w", ErrNotFound, err)
	}
	head, _, err := l.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	level := max(t.L, 0)
	have := head.Size >> (audit.TileHeight * level)
	if level*audit.TileHeight >= 62 || t.N > have>>audit.TileHeight || t.N*audit.TileWidth+int64(t.W) > have {
		return nil, fmt.Errorf("audit/store: tile: %w", ErrNotFound)
	}
	if t.L >= 0 {
		data, err := l.hashes(ctx).tile(t.L, t.N)
		if err != nil {
			return nil, err
		}
		if len(data) < t.W*tlog.HashSize {
			return nil, fmt.Errorf("audit/store: tile level %d number %d is too short: %w", t.L, t.N, ErrDamaged)
		}
		return data[:t.W*tlog.HashSize], nil
	}
	return l.bundle(ctx, t.N*audit.TileWidth, t.W)
}

// bundle reads n leaves from index first on as an entry bundle.
func (l *Log) bundle(ctx context.Context, first int64, n int) ([]byte, error) {
	var rows []eventRow
	err := l.db.Read(ctx).Select("leaf").Where("workspace = ? AND idx >= ? AND idx < ?", l.o.Workspace, first, first+int64(n)).
		Order("idx").Limit(n).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("audit/store: reading entries: %w", err)
	}
	if len(rows) != n {
		return nil, fmt.Errorf("audit/store: entries from %d on: %d of %d: %w", first, len(rows), n, ErrDamaged)
	}
	var out []byte
	for _, r := range rows {
		out = audit.AppendEntry(out, r.Leaf)
	}
	return out, nil
}
