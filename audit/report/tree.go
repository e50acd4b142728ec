package report

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// tiles reads hash tiles for tlog, which authenticates every one of them against
// the signed root. Tiles above the lowest level are kept, since every entry needs
// them again; of the lowest level only the present one.
type tiles struct {
	load func(t tlog.Tile) ([]byte, error)
	kept map[tlog.Tile][]byte
	last map[tlog.Tile][]byte
	seen func(t tlog.Tile, data []byte) error // told of every tile once; may be nil
	used map[string]bool
}

func newTiles(load func(tlog.Tile) ([]byte, error), seen func(tlog.Tile, []byte) error) *tiles {
	return &tiles{load: load, kept: map[tlog.Tile][]byte{}, last: map[tlog.Tile][]byte{}, seen: seen, used: map[string]bool{}}
}

// Height is tlog.TileReader.
func (t *tiles) Height() int { return audit.TileHeight }

// SaveTiles is tlog.TileReader; ReadTiles keeps what is worth keeping.
func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles is tlog.TileReader.
func (t *tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(list))
	for i, tile := range list {
		data, ok := t.kept[tile]
		if !ok {
			data, ok = t.last[tile]
		}
		if !ok {
			var err error
			if data, err = t.load(tile); err != nil {
				return nil, err
			}
			if err := t.note(tile, data); err != nil {
				return nil, err
			}
		}
		out[i] = data
	}
	return out, nil
}

func (t *tiles) note(tile tlog.Tile, data []byte) error {
	if tile.L > 0 {
		t.kept[tile] = data
	} else {
		if len(t.last) > 4 {
			clear(t.last)
		}
		t.last[tile] = data
	}
	path := audit.TilePath(tile)
	if t.used[path] || t.seen == nil {
		return nil
	}
	t.used[path] = true
	return t.seen(tile, data)
}

// tree answers questions about a signed tree through authenticated tiles.
type tree struct {
	head   audit.Checkpoint
	reader tlog.HashReader
	first  int64 // leaves [first, first+len(hashes)) are in hashes
	hashes []tlog.Hash
}

func newTree(head audit.Checkpoint, t *tiles) *tree {
	return &tree{head: head, reader: tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, t), first: -1}
}

// leaf returns the hash that the signed tree has at an index. Leaves are fetched a
// tile at a time.
func (t *tree) leaf(index int64) (tlog.Hash, error) {
	if index < 0 || index >= t.head.Size {
		return tlog.Hash{}, fmt.Errorf("audit/report: entry %d is not in a tree of %d: %w", index, t.head.Size, audit.ErrProof)
	}
	if t.first < 0 || index < t.first || index >= t.first+int64(len(t.hashes)) {
		first := index - index%audit.TileWidth
		n := min(audit.TileWidth, t.head.Size-first)
		list := make([]int64, n)
		for i := range list {
			list[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		hashes, err := t.reader.ReadHashes(list)
		if err != nil {
			return tlog.Hash{}, err
		}
		t.first, t.hashes = first, hashes
	}
	return t.hashes[index-t.first], nil
}

// root is the root of the first size leaves.
func (t *tree) root(size int64) (tlog.Hash, error) { return tlog.TreeHash(size, t.reader) }

// prove is the inclusion proof of an entry.
func (t *tree) prove(index int64) (tlog.RecordProof, error) {
	return tlog.ProveRecord(t.head.Size, index, t.reader)
}

// holds checks that an earlier checkpoint is a prefix of this tree.
func (t *tree) holds(old audit.Checkpoint) error {
	if old.Size > t.head.Size {
		return fmt.Errorf("audit/report: an earlier checkpoint has more leaves: %w", audit.ErrProof)
	}
	root, err := t.root(old.Size)
	if err != nil {
		return err
	}
	if root != old.Root {
		return fmt.Errorf("audit/report: the tree of %d leaves does not continue the one of %d: %w", t.head.Size, old.Size, audit.ErrProof)
	}
	return nil
}
