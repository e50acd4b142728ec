package report

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// Source is the log that a pack is made from; *store.Log is one.
type Source interface {
	Workspace() string
	Signer() note.Signer
	Verifier() note.Verifier
	VerifierKey() string
	Checkpoint(ctx context.Context) (audit.Checkpoint, []byte, error)
	Range(ctx context.Context, first, last int64) iter.Seq2[audit.Leaf, error]
	Tile(ctx context.Context, path string) ([]byte, error)
	HeadBefore(ctx context.Context, size int64) ([]byte, error)
	HourlyHeads(ctx context.Context, first, last int64) ([][]byte, error)
}

// PackOptions says what goes into a pack.
type PackOptions struct {
	First, Last int64     // indexes; Last < First packs no entries
	From, To    time.Time // what was asked for, as a note to the reader
	Created     time.Time // zero: now
	Lang        string    // of the report: en (default) or zh-Hans
	// Policy returns the canonical bytes of a policy snapshot by its hash. Nil, or
	// an error wrapping fs.ErrNotExist, leaves it out; verify then cannot decide
	// whether those decisions were right and says so.
	Policy func(ctx context.Context, hash string) ([]byte, error)
	// Card returns a model's card (Markdown); nil bytes leave it out.
	Card func(ctx context.Context, m audit.Model) ([]byte, error)
	// Root returns the root log's entry about a checkpoint of this log; nil leaves it out.
	Root func(ctx context.Context, c audit.Checkpoint) (*Rooted, error)
	// Trust is the trust policy whose witnesses cosign the root log; nil leaves it out.
	Trust []byte
	// Successions are the statements by which the log's keys followed each other.
	Successions [][]byte
	// Continues are sizes of earlier packs: this one then ties itself to them.
	Continues []int64
	// Render writes report.html; nil leaves it out.
	Render Renderer
	// Print writes report.pdf; nil leaves it out.
	Print    Renderer
	Progress Progress
}

// Rooted is an entry of the root log with its c2sp.org/tlog-proof@v1 file.
type Rooted struct {
	Leaf, Proof []byte
	VerifierKey string
}

// Summary says what was written.
type Summary struct {
	Manifest Manifest
	Report   *Report
	SHA256   string // of the whole ZIP
	Bytes    int64
}

// WritePack writes the evidence pack of a range of entries as a ZIP, in the memory
// of one page of entries. An error leaves w with an incomplete file, which the
// caller discards; the log refuses the range only if it does not hold it.
func WritePack(ctx context.Context, w io.Writer, src Source, o PackOptions) (*Summary, error) {
	s, err := newPacker(ctx, w, src, o)
	if err != nil {
		return nil, fmt.Errorf("audit/report: writing a pack: %w", err)
	}
	for _, step := range []func() error{s.events, s.table, s.ocsf, s.proofs, s.heads, s.root, s.policies, s.cards, s.page, s.close} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := step(); err != nil {
			return nil, fmt.Errorf("audit/report: writing a pack: %w", err)
		}
	}
	return &Summary{Manifest: s.m, Report: s.r, SHA256: hex.EncodeToString(s.sum.Sum(nil)), Bytes: s.count}, nil
}

// packer writes one pack.
type packer struct {
	ctx    context.Context
	src    Source
	o      PackOptions
	sum    hash.Hash
	count  int64
	zip    *zip.Writer
	m      Manifest
	head   audit.Checkpoint
	signed []byte
	r      *Report
	b      *builder
	tree   *tree
}

// counter passes the ZIP's bytes on, counted and hashed.
type counter struct {
	w io.Writer
	s *packer
}

func (c counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.s.sum.Write(p[:n])
	c.s.count += int64(n)
	return n, err
}

func newPacker(ctx context.Context, w io.Writer, src Source, o PackOptions) (*packer, error) {
	head, signed, err := src.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if o.Last >= head.Size {
		return nil, fmt.Errorf("entry %d is asked for, the signed log ends at %d", o.Last, head.Size-1)
	}
	if o.Created.IsZero() {
		o.Created = time.Now()
	}
	if o.Lang == "" {
		o.Lang = "en"
	}
	s := &packer{ctx: ctx, src: src, o: o, sum: sha256.New(), head: head, signed: signed}
	s.zip = zip.NewWriter(counter{w, s})
	// A pack is some gigabytes of repetitive text: the default level takes four times as
	// long for a tenth of the size.
	s.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	events := max(o.Last-o.First+1, 0)
	s.m = Manifest{Format: Format, Version: Version, Log: head.Origin, Workspace: src.Workspace(), Created: audit.FormatTime(o.Created),
		First: o.First, Events: events, Size: head.Size, EntryProofs: events <= maxEntryProofs}
	if !o.From.IsZero() {
		s.m.From = audit.FormatTime(o.From)
	}
	if !o.To.IsZero() {
		s.m.To = audit.FormatTime(o.To)
	}
	s.r = &Report{Lang: o.Lang, Workspace: s.m.Workspace, Log: s.m.Log, Fingerprint: audit.Fingerprint(src.VerifierKey()), Created: s.m.Created,
		From: s.m.From, To: s.m.To, First: o.First, Last: o.First + events - 1, Size: head.Size, Root: head.Root.String(), Signed: audit.FormatTime(head.Time)}
	s.b = newBuilder(s.r)
	// Tiles go into the pack in the order in which the proofs first need them; the
	// verifier asks in the same order, so exactly these are enough.
	load := func(t tlog.Tile) ([]byte, error) { return src.Tile(ctx, audit.TilePath(t)) }
	s.tree = newTree(head, newTiles(load, func(t tlog.Tile, data []byte) error { return s.file(audit.TilePath(t), data) }))
	return s, nil
}

// stream adds a file whose content comes from fn.
func (s *packer) stream(path string, fn func(w io.Writer) error) error {
	h := &zip.FileHeader{Name: path, Method: zip.Deflate}
	//lint:ignore SA1019 see dosTime
	h.ModifiedDate, h.ModifiedTime = dosTime(s.o.Created)
	w, err := s.zip.CreateHeader(h)
	if err != nil {
		return err
	}
	sum := sha256.New()
	var n counted
	if err := fn(io.MultiWriter(w, sum, &n)); err != nil {
		return err
	}
	s.m.Files = append(s.m.Files, File{Path: path, Size: int64(n), SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// dosTime is a ZIP's own form of a date. FileHeader.Modified would add an extra
// field, that is, bytes that nothing vouches for.
func dosTime(t time.Time) (day, clock uint16) {
	t = t.UTC()
	return uint16(t.Day() | int(t.Month())<<5 | (t.Year()-1980)<<9), uint16(t.Second()/2 | t.Minute()<<5 | t.Hour()<<11)
}

type counted int64

func (c *counted) Write(p []byte) (int, error) {
	*c += counted(len(p))
	return len(p), nil
}

func (s *packer) file(path string, data []byte) error {
	return s.stream(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// rows is the range of the pack; it fails where the log does not hold all of it.
func (s *packer) rows() iter.Seq2[audit.Leaf, error] {
	return func(yield func(audit.Leaf, error) bool) {
		next := s.m.First
		if s.m.Events > 0 {
			for l, err := range s.src.Range(s.ctx, s.o.First, s.o.Last) {
				if err == nil && l.Index != next {
					err = fmt.Errorf("entry %d is missing in the log", next)
				}
				if !yield(l, err) || err != nil {
					return
				}
				next++
			}
		}
		if next != s.m.First+s.m.Events {
			yield(audit.Leaf{}, fmt.Errorf("entry %d is missing in the log", next))
		}
	}
}

// events writes events.jsonl and gathers the report.
func (s *packer) events() error {
	return s.stream(fileEvents, func(w io.Writer) error {
		var buf []byte
		_, err := each(s.rows(), s.o.Progress, func(l audit.Leaf) error {
			e, err := audit.ParseLeaf(l.Bytes)
			if err != nil {
				return fmt.Errorf("entry %d: %w", l.Index, err)
			}
			h := audit.LeafHash(l.Bytes)
			s.b.add(l.Index, e, hex.EncodeToString(h[:]))
			buf = appendLine(buf[:0], l)
			_, err = w.Write(buf)
			return err
		})
		s.b.finish()
		return err
	})
}

func (s *packer) table() error {
	return s.stream(fileCSV, func(w io.Writer) error {
		_, err := WriteCSV(w, s.rows(), nil)
		return err
	})
}

func (s *packer) ocsf() error {
	return s.stream(fileOCSF, func(w io.Writer) error {
		_, err := WriteOCSF(w, s.rows(), nil)
		return err
	})
}

// root writes the root log's entry about the checkpoint, the log's earlier keys, and
// the trust policy.
func (s *packer) root() error {
	for i, n := range s.o.Successions {
		if err := s.file(successionPath(i+1), n); err != nil {
			return err
		}
	}
	if s.o.Trust != nil {
		if err := s.file(fileTrust, s.o.Trust); err != nil {
			return err
		}
	}
	if s.o.Root == nil {
		return nil
	}
	r, err := s.o.Root(s.ctx, s.head)
	if err != nil {
		return fmt.Errorf("root log: %w", err)
	}
	for _, f := range []struct {
		path string
		data []byte
	}{{fileRootKey, []byte(r.VerifierKey + "\n")}, {fileRootEntry, r.Leaf}, {fileRootProof, r.Proof}} {
		if err := s.file(f.path, f.data); err != nil {
			return err
		}
	}
	return nil
}

// proofs writes the checkpoint and every tile that ties the entries to it, and for
// small packs one proof file an entry.
func (s *packer) proofs() error {
	if err := s.file(fileCheckpoint, s.signed); err != nil {
		return err
	}
	if err := s.file(fileKey, []byte(s.src.VerifierKey()+"\n")); err != nil {
		return err
	}
	for l, err := range s.rows() {
		if err != nil {
			return err
		}
		hash, err := s.tree.leaf(l.Index)
		if err != nil {
			return err
		}
		if hash != audit.LeafHash(l.Bytes) {
			return fmt.Errorf("entry %d is not what was signed; verify the log", l.Index)
		}
	}
	if !s.m.EntryProofs {
		return nil
	}
	for i := s.m.First; i < s.m.First+s.m.Events; i++ {
		p, err := s.tree.prove(i)
		if err != nil {
			return err
		}
		if err := s.file(proofPath(i), audit.ProofFile{Index: i, Proof: p, Checkpoint: s.signed}.Marshal()); err != nil {
			return err
		}
	}
	return nil
}

func proofPath(index int64) string { return fmt.Sprintf("%s%09d%s", folderProofs, index, proofSuffix) }

// heads writes the newest checkpoint before the range and the hourly ones within.
func (s *packer) heads() error {
	previous, err := s.src.HeadBefore(s.ctx, s.m.First)
	if err != nil {
		return err
	}
	if previous != nil {
		if err := s.before(previous); err != nil {
			return err
		}
	}
	for _, size := range s.o.Continues {
		if size > 0 && size <= s.head.Size {
			if _, err := s.tree.root(size); err != nil {
				return err
			}
		}
	}
	hourly, err := s.src.HourlyHeads(s.ctx, max(s.m.First, 1), s.m.First+s.m.Events)
	if err != nil {
		return err
	}
	for _, h := range hourly { // may write tiles, so not while the list is written
		if err := s.holds(h); err != nil {
			return err
		}
	}
	return s.stream(fileHourly, func(w io.Writer) error {
		for _, h := range hourly {
			line, err := json.Marshal(hourlyLine{string(h)})
			if err != nil {
				return err
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	})
}

type hourlyLine struct {
	Checkpoint string `json:"checkpoint"`
}

// before writes the checkpoint that the range continues.
func (s *packer) before(signed []byte) error {
	if err := s.holds(signed); err != nil {
		return err
	}
	return s.file(filePrevious, signed)
}

func (s *packer) holds(signed []byte) error {
	c, err := audit.OpenCheckpoint(signed, s.src.Verifier())
	for i := len(s.o.Successions) - 1; err != nil && i >= 0; i-- { // signed by an earlier key
		old, e := audit.OpenSuccession(s.o.Successions[i])
		if e != nil {
			return e
		}
		v, e := audit.ParseVerifierKey([]byte(old.Old))
		if e != nil {
			return e
		}
		c, err = audit.OpenCheckpoint(signed, v)
	}
	if err != nil {
		return err
	}
	return s.tree.holds(c)
}

func (s *packer) policies() error {
	for i := range s.r.Policies {
		p := &s.r.Policies[i]
		if s.o.Policy == nil {
			break
		}
		data, err := s.o.Policy(s.ctx, p.Hash)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("policy version %d: %w", p.Version, err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.Hash {
			return fmt.Errorf("the stored policy version %d does not have the hash its decisions name", p.Version)
		}
		p.File = folderPolicies + p.Hash + ".json"
		if err := s.file(p.File, data); err != nil {
			return err
		}
	}
	return nil
}

func (s *packer) cards() error {
	written := map[string]bool{}
	for i := range s.r.Models {
		m := &s.r.Models[i]
		if s.o.Card == nil {
			break
		}
		data, err := s.o.Card(s.ctx, m.Model)
		if err != nil {
			return fmt.Errorf("model card: %w", err)
		}
		if data == nil {
			continue
		}
		m.Card = folderModels + cardName(m.Model) + ".md"
		if written[m.Card] {
			continue
		}
		written[m.Card] = true
		if err := s.file(m.Card, data); err != nil {
			return err
		}
	}
	return nil
}

// cardName is a file name for a model; hub names may hold a slash.
func cardName(m audit.Model) string {
	name := strings.NewReplacer("/", "_", "+", "_").Replace(m.ID)
	if m.Version != "" {
		name += "-" + strings.NewReplacer("/", "_", "+", "_").Replace(m.Version)
	}
	if m.Digest != "" {
		name += "-" + m.Digest[:12]
	}
	return strings.ReplaceAll(name, "..", "__")
}

func (s *packer) page() error {
	for _, x := range []struct {
		path   string
		render Renderer
	}{{fileReport, s.o.Render}, {filePrint, s.o.Print}} {
		if x.render == nil {
			continue
		}
		var page bytes.Buffer
		if err := x.render(&page, s.r); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		if err := s.file(x.path, page.Bytes()); err != nil {
			return err
		}
	}
	return s.file(fileVerify, verifyText(s.m, s.r))
}

// close writes the manifest last: it lists what came before.
func (s *packer) close() error {
	manifest, err := s.m.bytes()
	if err != nil {
		return err
	}
	signature, err := signManifest(manifest, s.src.Signer())
	if err != nil {
		return err
	}
	listed := s.m.Files
	if err := s.file(fileManifest, manifest); err != nil {
		return err
	}
	if err := s.file(fileSignature, signature); err != nil {
		return err
	}
	s.m.Files = listed
	return s.zip.Close()
}
