package weights

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits of a model folder.
const (
	maxIndex  = 64 << 20
	maxShards = 1000
	maxFiles  = 2000
)

// Digest names one file of a model folder.
type Digest struct {
	Path   string
	Size   int64
	SHA256 string
}

// OpenHub opens the weights of a hub folder: model.safetensors, or the shards of model.safetensors.index.json.
// Pickled checkpoints are refused: reading one runs the code inside.
func OpenHub(fsys fs.FS) (*File, error) {
	if _, err := fs.Stat(fsys, "model.safetensors"); err == nil {
		return Open(fsys, "model.safetensors")
	}
	if raw, err := readLimited(fsys, "model.safetensors.index.json", maxIndex); err == nil {
		return openShards(fsys, raw)
	}
	for _, pickle := range []string{"pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.pth", "model.bin"} {
		if _, err := fs.Stat(fsys, pickle); err == nil {
			return nil, fmt.Errorf("%w: %s is a pickled checkpoint, and reading one executes the code inside; "+
				"save the model as safetensors (save_pretrained(..., safe_serialization=True)) and add that folder", ErrUnsupported, pickle)
		}
	}
	return nil, fmt.Errorf("%w: the folder holds neither model.safetensors nor model.safetensors.index.json", ErrFormat)
}

func openShards(fsys fs.FS, raw []byte) (*File, error) {
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(raw, &index); err != nil || len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("%w: model.safetensors.index.json has no weight_map", ErrFormat)
	}
	var shards []string
	for _, s := range index.WeightMap {
		if !slices.Contains(shards, s) {
			shards = append(shards, s)
		}
		if len(shards) > maxShards {
			return nil, fmt.Errorf("%w: more than %d shards", ErrFormat, maxShards)
		}
	}
	slices.Sort(shards)
	f := &File{tensors: map[string]*Tensor{}}
	for _, s := range shards {
		if path.Base(s) != s || strings.ContainsAny(s, `\:`) || !strings.HasSuffix(s, ".safetensors") {
			f.Close()
			return nil, fmt.Errorf("%w: shard name %.80q is not a file of the folder", ErrFormat, s)
		}
		if err := f.add(fsys, s); err != nil {
			f.Close()
			return nil, err
		}
	}
	for name := range index.WeightMap {
		if f.tensors[name] == nil {
			f.Close()
			return nil, fmt.Errorf("%w: the index lists tensor %q, no shard holds it", ErrFormat, name)
		}
	}
	return f, nil
}

// Digests returns the SHA-256 of every regular file of the folder, hidden files excepted, sorted by path. It ends early with the
// context's error.
func Digests(ctx context.Context, fsys fs.FS) ([]Digest, error) {
	var out []Digest
	err := eachFile(fsys, func(p string, _ fs.FileInfo) error {
		sum, n, err := digestFile(ctx, fsys, p)
		out = append(out, Digest{Path: p, Size: n, SHA256: sum})
		return err
	})
	slices.SortFunc(out, func(a, b Digest) int { return strings.Compare(a.Path, b.Path) })
	return out, err
}

// Stamp tells the states of a folder apart without reading its files: the path, size and time of change of everything that
// Digests hashes.
func Stamp(fsys fs.FS) (string, error) {
	var b strings.Builder
	err := eachFile(fsys, func(p string, info fs.FileInfo) error {
		fmt.Fprintf(&b, "%d %d %s\n", info.Size(), info.ModTime().UnixNano(), p)
		return nil
	})
	return b.String(), err
}

// eachFile calls f for every regular file of the folder, hidden files excepted, in lexical order.
func eachFile(fsys fs.FS, f func(p string, info fs.FileInfo) error) error {
	files := 0
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p != "." && strings.HasPrefix(path.Base(p), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		info, err := fs.Stat(fsys, p) // follows the links of a hub cache
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		if files++; files > maxFiles {
			return fmt.Errorf("%w: more than %d files", ErrFormat, maxFiles)
		}
		return f(p, info)
	})
	if err != nil {
		return fmt.Errorf("weights: digesting: %w", err)
	}
	return nil
}

// digestFile hashes a file as it is mapped, window by window, so that it takes neither a copy nor memory.
func digestFile(ctx context.Context, fsys fs.FS, p string) (string, int64, error) {
	src, err := openSource(fsys, p)
	if err != nil {
		return "", 0, err
	}
	defer src.Close()
	h := sha256.New()
	const window = 1 << 20
	for off := int64(0); off < src.Size(); off += window {
		n := min(window, src.Size()-off)
		if err := ctx.Err(); err != nil {
			return "", 0, err
		}
		if err := view(src, off, n, func(part []byte) { h.Write(part) }); err != nil {
			return "", 0, err
		}
		src.Release(off, n)
	}
	return hex.EncodeToString(h.Sum(nil)), src.Size(), ctx.Err()
}

// view calls f with n bytes at off: in place where the file is mapped, else with a copy.
func view(src source, off, n int64, f func([]byte)) error {
	if m, ok := src.(*mapped); ok {
		return m.View(off, n, f)
	}
	p, err := src.Bytes(off, n)
	if err == nil {
		f(p)
	}
	return err
}

// Combined is the digest of a whole folder: SHA-256 over one line "sha256  path\n" a file, sorted by path.
func Combined(files []Digest) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s  %s\n", f.SHA256, f.Path)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// readLimited reads a small file whole.
func readLimited(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%w: %s is larger than %d bytes", ErrFormat, name, limit)
	}
	return raw, err
}
