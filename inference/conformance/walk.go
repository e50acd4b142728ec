package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Folder is one golden folder.
type Folder struct {
	Path  string // relative to the walked folder, with slashes
	FS    fs.FS
	Cases []byte // cases.json; nil where the folder has cases.jsonl
	Head  Head
}

// Head is the part of cases.json that all groups share.
type Head struct {
	Family       string `json:"family"`
	Architecture string `json:"architecture"`
	Checkpoint   string `json:"checkpoint"` // explanation cases only
}

// Group runs golden folders of one kind. Kinds register from init(), so that a
// package beside this one can add its own.
type Group struct {
	Name  string
	Match func(Folder) bool
	// Run emits a comparison for each expected value. An error means that the
	// folder itself cannot be read.
	Run func(ctx context.Context, f Folder, emit func(Comparison)) error
}

var groups []Group

// Register adds a kind of folders; it panics on a repeated or incomplete one.
func Register(g Group) {
	if g.Name == "" || g.Match == nil || g.Run == nil || slices.ContainsFunc(groups, func(o Group) bool { return o.Name == g.Name }) {
		panic("conformance: incomplete or repeated group " + g.Name)
	}
	groups = append(groups, g)
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
}

// maxCases bounds cases.json.
const maxCases = 64 << 20

func run(ctx context.Context, dir, only string, emit func(Comparison)) error {
	if _, err := path.Match(only, ""); err != nil {
		return fmt.Errorf("conformance: pattern %q: %w", only, err)
	}
	found := false
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		f, ok, err := openFolder(p, rel)
		if err != nil || !ok {
			return err
		}
		if match, _ := path.Match(only, rel); only != "" && !match {
			return nil
		}
		if rel == "." {
			f.Path = filepath.Base(dir)
		}
		found = true
		return runFolder(ctx, f, emit)
	})
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	if !found {
		return fmt.Errorf("conformance: %w in %s", ErrFolder, dir)
	}
	return nil
}

// openFolder is false for a folder without cases.
func openFolder(dir, rel string) (Folder, bool, error) {
	f := Folder{Path: rel, FS: os.DirFS(dir)}
	if _, err := fs.Stat(f.FS, "cases.jsonl"); err == nil {
		return f, true, nil
	}
	file, err := f.FS.Open("cases.json")
	if errors.Is(err, fs.ErrNotExist) {
		return f, false, nil
	} else if err != nil {
		return f, false, err
	}
	defer file.Close()
	f.Cases, err = io.ReadAll(io.LimitReader(file, maxCases+1))
	if err == nil && len(f.Cases) > maxCases {
		err = errors.New("it is larger than 64 MiB")
	}
	if err == nil {
		err = json.Unmarshal(f.Cases, &f.Head)
	}
	if err != nil {
		return f, false, fmt.Errorf("reading %s/cases.json: %w", rel, err)
	}
	return f, true, nil
}

func runFolder(ctx context.Context, f Folder, emit func(Comparison)) error {
	for _, g := range groups {
		if !g.Match(f) {
			continue
		}
		if err := g.Run(ctx, f, emit); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		return nil
	}
	emit(Comparison{Name: f.Path, What: "folder", Status: Unsupported, Why: "no runner for this kind of references"})
	return nil
}
