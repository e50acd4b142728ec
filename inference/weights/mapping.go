package weights

import "io/fs"

// Mapping is random access to one file of a checkpoint: memory-mapped where it is a file on disk. Reads outside the
// file, after Close or of a file cut short meanwhile are errors, never faults.
type Mapping = source

// Map opens a file of fsys for a reader of another format.
func Map(fsys fs.FS, name string) (Mapping, error) { return openSource(fsys, name) }
