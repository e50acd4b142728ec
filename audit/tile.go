package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles as in C2SP tlog-tiles: height 8, paths tile/<L>/<N>[.p/<W>] for hashes and
// tile/entries/<N>[.p/<W>] for leaves. tlog has the older spelling with the height
// in the path and "data" for leaves; these functions translate.
const (
	TileHeight = 8
	TileWidth  = 1 << TileHeight
)

// ErrTile means that a path or the bytes of a tile are malformed.
var ErrTile = errors.New("malformed tile")

const (
	tlogTiles   = "tile/8/"
	tlogEntries = "tile/8/data/"
)

// TilePath is the path of a tile; level -1 is an entry bundle.
func TilePath(t tlog.Tile) string {
	p := t.Path()
	if rest, ok := strings.CutPrefix(p, tlogEntries); ok {
		return "tile/entries/" + rest
	}
	return "tile/" + strings.TrimPrefix(p, tlogTiles)
}

// ParseTilePath is the inverse of TilePath.
func ParseTilePath(path string) (tlog.Tile, error) {
	bad := fmt.Errorf("audit: tile path: %w", ErrTile)
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > 100 {
		return tlog.Tile{}, bad
	}
	full := tlogTiles + rest
	if entries, ok := strings.CutPrefix(rest, "entries/"); ok {
		full = tlogEntries + entries
	} else if strings.HasPrefix(rest, "data/") {
		return tlog.Tile{}, bad
	}
	t, err := tlog.ParseTilePath(full)
	if err != nil || TilePath(t) != path {
		return tlog.Tile{}, bad
	}
	return t, nil
}

// AppendEntry adds a leaf to an entry bundle: two bytes of length, big-endian,
// then the leaf.
func AppendEntry(bundle, leaf []byte) []byte {
	bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(leaf)))
	return append(bundle, leaf...)
}

// SplitBundle is the inverse: it returns the leaves of an entry bundle.
func SplitBundle(bundle []byte) ([][]byte, error) {
	var leaves [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) || len(leaves) == TileWidth {
			return nil, fmt.Errorf("audit: entry bundle ends inside a leaf or is too long: %w", ErrTile)
		}
		n := int(binary.BigEndian.Uint16(bundle))
		leaves = append(leaves, bundle[2:2+n])
		bundle = bundle[2+n:]
	}
	return leaves, nil
}
