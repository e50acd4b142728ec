package hub

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxEntries bounds the entries of an archive.
const maxEntries = 1 << 16

// unpack brings one GGUF file or one folder of an archive into dir. Only files that a
// checkpoint is made of leave the archive, each under the last part of its name.
func (c *Client) unpack(ctx context.Context, archive, inside, dir string, tell Progress) (*Fetched, error) {
	z, err := zip.OpenReader(archive)
	if errors.Is(err, os.ErrNotExist) {
		return nil, bad(ErrSource, "there is no file at that path")
	}
	if err != nil {
		return nil, bad(ErrContent, "the archive cannot be read: %v", err)
	}
	defer z.Close()
	if len(z.File) > maxEntries {
		return nil, bad(ErrContent, "the archive has %d entries, up to %d are read", len(z.File), maxEntries)
	}
	chosen, err := pick(z.File, inside)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	seen := map[string]bool{}
	for _, f := range chosen {
		name := strings.ToLower(path.Base(f.Name))
		if seen[name] {
			return nil, bad(ErrContent, "the archive holds %s twice", path.Base(f.Name))
		}
		seen[name] = true
		if f.UncompressedSize64 > uint64(c.max-total) {
			return nil, bad(ErrContent, "the checkpoint is larger than the %d bytes that are allowed", c.max)
		}
		total += int64(f.UncompressedSize64)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	out := &Fetched{Path: dir}
	for _, f := range chosen {
		if err := extract(ctx, f, filepath.Join(dir, path.Base(f.Name)), func(done int64) { tell(out.Bytes+done, total) }); err != nil {
			return nil, err
		}
		out.Bytes += int64(f.UncompressedSize64)
	}
	if len(chosen) == 1 && isGGUF(chosen[0].Name) {
		out.Path = filepath.Join(dir, path.Base(chosen[0].Name))
	}
	return out, nil
}

// pick chooses what is unpacked.
func pick(files []*zip.File, inside string) ([]*zip.File, error) {
	var ggufs []*zip.File
	folders := map[string][]*zip.File{}
	var roots []string
	for _, f := range files {
		if f.Mode().IsDir() {
			continue
		}
		name, dir := path.Base(f.Name), path.Dir(f.Name)
		local := filepath.IsLocal(filepath.FromSlash(f.Name)) && !strings.ContainsAny(f.Name, "\\\x00:")
		if inside != "" && f.Name != inside && dir != path.Clean(inside) {
			continue
		}
		if !isGGUF(name) && !wanted(name) {
			continue
		}
		if !local || !f.Mode().IsRegular() {
			return nil, bad(ErrContent, "the archive holds an entry that leads out of it or is no plain file")
		}
		if isGGUF(name) {
			ggufs = append(ggufs, f)
			continue
		}
		if folders[dir] = append(folders[dir], f); name == "config.json" {
			roots = append(roots, dir)
		}
	}
	switch {
	case len(roots) == 1 && (len(ggufs) == 0 || inside != "" && !isGGUF(inside)):
		return folders[roots[0]], nil
	case len(roots) == 0 && len(ggufs) == 1, isGGUF(inside) && len(ggufs) == 1:
		return ggufs, nil
	case len(roots)+len(ggufs) == 0:
		return nil, bad(ErrSource, "the archive holds no checkpoint there: neither config.json nor a GGUF file")
	}
	return nil, bad(ErrSource, "the archive holds %d checkpoints; name one as the path inside", len(roots)+len(ggufs))
}

// extract writes one entry, no longer than it says, with its checksum compared.
func extract(ctx context.Context, f *zip.File, target string, tell func(int64)) (err error) {
	r, err := f.Open()
	if err != nil {
		return bad(ErrContent, "%s cannot be unpacked: %v", path.Base(f.Name), err)
	}
	defer r.Close()
	out, err := os.OpenFile(target+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("hub: writing a file: %w", err)
	}
	w := &telling{w: out, tell: tell}
	n, err := io.Copy(w, &interrupted{ctx, io.LimitReader(r, int64(f.UncompressedSize64)+1)})
	if closed := out.Close(); w.err == nil {
		w.err = closed
	}
	switch {
	case w.err != nil:
		return fmt.Errorf("hub: writing a file: %w", w.err)
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil || n != int64(f.UncompressedSize64):
		return bad(ErrContent, "%s is damaged or not as long as the archive says", path.Base(f.Name))
	}
	if err := os.Rename(target+".part", target); err != nil {
		return fmt.Errorf("hub: putting a file into place: %w", err)
	}
	return nil
}

// interrupted reads until its context ends.
type interrupted struct {
	ctx context.Context
	r   io.Reader
}

func (i *interrupted) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
