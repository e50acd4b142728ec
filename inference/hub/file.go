package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// codeless are the files of a checkpoint that are read, by their names; none holds code.
var codeless = []string{"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
	"vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "source.spm", "target.spm", "preprocessor_config.json",
	"chat_template.json", "chat_template.jinja", "model.safetensors.index.json", "README.md"}

// wanted says whether a file belongs into a checkpoint's folder.
func wanted(name string) bool {
	return slices.Contains(codeless, name) || strings.HasSuffix(name, ".safetensors") && !strings.Contains(name, "/")
}

func isGGUF(name string) bool { return strings.EqualFold(path.Ext(name), ".gguf") }

func isArchive(name string) bool {
	return strings.EqualFold(path.Ext(name), ".zip") || strings.EqualFold(path.Ext(name), ".whl")
}

// piece is a file to fetch with what is known of it.
type piece struct {
	name, address string
	size          int64  // -1 = unknown
	sha256        string // "" = unknown
	blob          string // git's name of the content; "" = unknown
}

// Progress is told how many bytes are there, of how many.
type Progress func(done, total int64)

// attempts is how often a file is asked for again where the connection ends.
const attempts = 5

// fetch brings one file into dir, going on with what is there of it. before and total are
// for telling.
func (c *Client) fetch(ctx context.Context, dir string, p piece, before, total int64, tell Progress) (int64, error) {
	target := filepath.Join(dir, p.name)
	if n, err := check(target, p); err == nil {
		return n, nil
	}
	part := target + ".part"
	var err error
	for range attempts {
		if err = c.part(ctx, part, p, before, total, tell); !errors.Is(err, ErrReach) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	n, err := check(part, p)
	if err != nil {
		os.Remove(part) // it would not become right by going on
		return 0, err
	}
	if err := os.Rename(part, target); err != nil {
		return 0, fmt.Errorf("hub: putting a file into place: %w", err)
	}
	return n, nil
}

// part appends to a part file what is missing of it.
func (c *Client) part(ctx context.Context, name string, p piece, before, total int64, tell Progress) (err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("hub: writing a file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("hub: writing a file: %w", err)
	}
	if p.size >= 0 && at == p.size {
		return nil
	}
	header := http.Header{}
	if at > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", at))
	}
	a, err := c.get(ctx, p.address, header)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if !strings.HasPrefix(a.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", at)) || a.StatusCode != http.StatusPartialContent {
		at = 0 // the other side begins anew
		if err := f.Truncate(0); err != nil {
			return fmt.Errorf("hub: writing a file: %w", err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("hub: writing a file: %w", err)
		}
		if a.StatusCode != http.StatusOK {
			return bad(ErrReach, "%s was not sent whole", p.name)
		}
	}
	most := c.max - before
	if p.size >= 0 {
		most = min(most, p.size)
	}
	if total <= 0 && a.ContentLength >= 0 {
		total = before + at + a.ContentLength
	}
	w := &telling{w: f, done: before + at, tell: func(done int64) { tell(done, max(total, done)) }}
	n, err := io.Copy(w, io.LimitReader(a.Body, most-at+1))
	switch {
	case w.err != nil:
		return fmt.Errorf("hub: writing a file: %w", w.err)
	case ctx.Err() != nil:
		return ctx.Err()
	case at+n > most:
		return bad(ErrContent, "%s is larger than the %d bytes that are allowed or announced", p.name, most)
	case err != nil || p.size >= 0 && at+n < p.size:
		return bad(ErrReach, "%s was cut off after %d bytes", p.name, at+n)
	}
	return nil
}

// telling counts what is written, and keeps the error of writing apart from that of reading.
type telling struct {
	w    io.Writer
	done int64
	tell func(done int64)
	err  error
}

func (t *telling) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.done += int64(n)
	t.tell(t.done)
	if err != nil {
		t.err = err
	}
	return n, err
}

// check compares a file with what is known of it and returns its length.
func check(name string, p piece) (int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, fmt.Errorf("hub: reading a file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("hub: reading a file: %w", err)
	}
	if p.size >= 0 && info.Size() != p.size {
		return 0, bad(ErrContent, "%s has %d bytes, announced were %d", p.name, info.Size(), p.size)
	}
	var sum hash.Hash
	want := p.sha256
	switch {
	case want != "":
		sum = sha256.New()
	case p.blob != "": // git hashes the content behind its kind and length
		sum, want = sha1.New(), p.blob
		fmt.Fprintf(sum, "blob %d\x00", info.Size())
	default:
		return 0, bad(ErrContent, "%s has no digest to compare with", p.name)
	}
	if _, err := io.Copy(sum, f); err != nil {
		return 0, fmt.Errorf("hub: reading a file: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, want) {
		return 0, bad(ErrContent, "%s has the digest %s, announced was %s", p.name, got, want)
	}
	return info.Size(), nil
}
