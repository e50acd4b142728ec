//go:build !unix && !windows

package weights

import "os"

// mapFile reports that files cannot be mapped here; they are read instead.
func mapFile(*os.File, int64) ([]byte, func() error, error) { return nil, nil, ErrUnsupported }

// dropPages leaves it to the system when pages of a mapped file go.
func dropPages([]byte) {}
