package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// What Verify can find, a closed list of codes.
const (
	LeafAltered      = "leaf-altered"      // the bytes are not those that were hashed
	IndexMissing     = "index-missing"     // an entry is gone
	ColumnAltered    = "column-altered"    // a searchable column contradicts its leaf
	TileAltered      = "tile-altered"      // a stored hash contradicts the leaves
	RootDiffers      = "root-differs"      // leaves and a signed checkpoint do not fit
	CheckpointBad    = "checkpoint-bad"    // a checkpoint's signature does not hold
	RolledBack       = "rolled-back"       // the database is older than what was signed
	CountersDiffer   = "counters-differ"   // the numbers of the explorer are not those of the log
	OutboxAltered    = "outbox-altered"    // a waiting event was changed
	SequencerStopped = "sequencer-stopped" // events wait and cannot be included
)

// maxProblems bounds what a Health lists.
const maxProblems = 100

// Problem is one finding. Index is the entry it is about, -1 where it is about none.
type Problem struct {
	Code   string `json:"code"`
	Index  int64  `json:"index"`
	Detail string `json:"detail"`
}

// Health is the result of checking the whole log.
type Health struct {
	OK         bool      `json:"ok"`
	At         time.Time `json:"at"`
	Size       int64     `json:"size"`    // leaves of the signed tree
	Checked    int64     `json:"checked"` // leaves hashed
	Pending    int64     `json:"pending"` // events that wait to be included
	Root       string    `json:"root"`    // base64
	Checkpoint string    `json:"checkpoint"`
	FirstBad   int64     `json:"first_bad"` // smallest index with a problem, -1 if none
	Problems   []Problem `json:"problems"`
	Seconds    float64   `json:"seconds"`
}

func (h *Health) add(code string, index int64, detail string) {
	if index >= 0 && (h.FirstBad < 0 || index < h.FirstBad) {
		h.FirstBad = index
	}
	if len(h.Problems) < maxProblems {
		h.Problems = append(h.Problems, Problem{code, index, detail})
	}
}

// Status is the log's state without checking it: the last Verify (nil if none),
// when the last checkpoint was signed, and what keeps the sequencer from working
// (nil if nothing).
func (l *Log) Status() (last *Health, signed time.Time, fault error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fault = l.fault
	if l.halted != nil {
		fault = l.halted
	}
	return l.health, l.signed, fault
}

// Verify reads the whole log: every leaf is hashed, parsed and compared with its
// columns and tiles, every checkpoint ever signed with the tree of its size. What
// it finds is in Health; the error is for what kept it from looking.
func (l *Log) Verify(ctx context.Context) (Health, error) {
	start := time.Now()
	h := Health{At: l.o.Now().UTC(), FirstBad: -1, Problems: []Problem{}}
	c := &checker{log: l, ctx: ctx, h: &h, counted: map[counterKey]tally{}}
	if err := c.run(); err != nil {
		return h, fmt.Errorf("audit/store: verifying: %w", err)
	}
	h.OK, h.Seconds = len(h.Problems) == 0, time.Since(start).Seconds()
	l.mu.Lock()
	l.health = &h
	l.mu.Unlock()
	return h, nil
}

// checker is one run of Verify.
type checker struct {
	log     *Log
	ctx     context.Context
	h       *Health
	size    int64
	acc     audit.Accumulator
	level   [8][]byte // hashes of the unfinished tile of each level
	count   [8]int64  // finished tiles of each level
	heads   []checkpointRow
	counted map[counterKey]tally
	tile0   []byte // stored tile of level 0 under the present leaf
}

func (c *checker) run() error {
	l, h := c.log, c.h
	if l.halted != nil {
		h.add(RolledBack, -1, l.halted.Error())
	}
	head, signed, err := l.Checkpoint(c.ctx)
	if errors.Is(err, ErrDamaged) {
		h.add(CheckpointBad, -1, "the head's signature does not hold")
	} else if err != nil {
		if l.halted != nil {
			return nil // a database without this log: already said
		}
		return err
	}
	h.Checkpoint = string(signed)
	if c.size, err = c.leaves(head.Size, err == nil && signed != nil); err != nil {
		return err
	}
	h.Size = head.Size
	if err := c.loadHeads(0); err != nil {
		return err
	}
	if err := c.stream(); err != nil {
		return err
	}
	if err := c.edge(); err != nil {
		return err
	}
	root := c.acc.Root()
	h.Root = root.String()
	if signed != nil && len(h.Problems) == 0 && root != head.Root {
		h.add(RootDiffers, -1, fmt.Sprintf("the %d leaves do not give the signed root", head.Size))
	}
	if len(h.Problems) == 0 {
		if err := c.recount(); err != nil {
			return err
		}
	}
	return c.outbox()
}

// leaves is how many leaves to read: the signed size, or where the head is
// damaged, what is there.
func (c *checker) leaves(signed int64, intact bool) (int64, error) {
	if signed > 0 || intact {
		return signed, nil
	}
	var n int64
	err := c.log.db.Read(c.ctx).Model(&eventRow{}).Where("workspace = ? AND idx IS NOT NULL", c.log.o.Workspace).Count(&n).Error
	return n, err
}

func (c *checker) stream() error {
	next := int64(0)
	for next < c.size {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		var rows []eventRow
		err := c.log.db.Read(c.ctx).Where("workspace = ? AND idx >= ? AND idx < ?", c.log.o.Workspace, next, c.size).
			Order("idx").Limit(MaxPage).Find(&rows).Error
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			c.h.add(IndexMissing, next, fmt.Sprintf("entries %d to %d are missing", next, c.size-1))
			c.size = next
			return nil
		}
		for _, r := range rows {
			if *r.Idx != next {
				c.h.add(IndexMissing, next, fmt.Sprintf("entries %d to %d are missing", next, *r.Idx-1))
				c.size = next // later hashes cannot be placed
				return nil
			}
			if err := c.leaf(r); err != nil {
				return err
			}
			next++
		}
	}
	return nil
}

func (c *checker) leaf(r eventRow) error {
	c.counted[r.counter()] = c.counted[r.counter()].add(tally{1, *r.Idx, *r.Idx})
	i := *r.Idx
	hash := audit.LeafHash(r.Leaf)
	stored, err := c.storedLeafHash(i)
	if err != nil {
		return err
	}
	e, parseErr := audit.ParseLeaf(r.Leaf)
	switch {
	case !bytes.Equal(hash[:], r.LeafHash) || stored != nil && !bytes.Equal(hash[:], stored) || parseErr != nil:
		c.h.add(LeafAltered, i, fmt.Sprintf("entry %d is not what was signed", i))
	default:
		want, err := rowOf(e)
		if err != nil {
			return err
		}
		if want.EventID != r.EventID || want.Code != r.Code || want.Time != r.Time || want.Actor != r.Actor ||
			want.Object != r.Object || want.Model != r.Model || want.Effect != r.Effect || want.Request != r.Request {
			c.h.add(ColumnAltered, i, fmt.Sprintf("entry %d is intact, but a column it is searched by was changed", i))
		}
	}
	c.acc.Add(hash)
	c.h.Checked++
	if err := c.push(0, hash); err != nil {
		return err
	}
	return c.matchHeads()
}

// storedLeafHash returns what the tile at level 0 holds for entry i, nil where the
// tile cannot say (push reports that).
func (c *checker) storedLeafHash(i int64) ([]byte, error) {
	if i%audit.TileWidth == 0 {
		c.tile0 = nil
		t, err := c.log.hashes(c.ctx).tile(0, i/audit.TileWidth)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return nil, err
		}
		c.tile0 = t
	}
	at := int(i%audit.TileWidth) * tlog.HashSize
	if at+tlog.HashSize > len(c.tile0) {
		return nil, nil
	}
	return c.tile0[at : at+tlog.HashSize], nil
}

// push adds a hash to the running tile of a level; a full tile is compared with
// the stored one and its root goes up.
func (c *checker) push(level int, hash tlog.Hash) error {
	if level >= len(c.level) {
		return nil
	}
	c.level[level] = append(c.level[level], hash[:]...)
	if len(c.level[level]) < audit.TileWidth*tlog.HashSize {
		return nil
	}
	data := c.level[level]
	if err := c.compare(level, data); err != nil {
		return err
	}
	var up audit.Accumulator
	for i := 0; i < len(data); i += tlog.HashSize {
		up.Add(tlog.Hash(data[i : i+tlog.HashSize]))
	}
	c.level[level] = c.level[level][:0]
	c.count[level]++
	return c.push(level+1, up.Root())
}

func (c *checker) compare(level int, data []byte) error {
	n := c.count[level]
	stored, err := c.log.hashes(c.ctx).tile(level, n)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	if len(stored) > len(data) && len(data) < audit.TileWidth*tlog.HashSize {
		// The log may have grown since this check began: an unfinished tile may hold
		// the hashes of later leaves, but no more than there are.
		head, _, err := c.log.Checkpoint(c.ctx)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
		if most := head.Size>>(audit.TileHeight*level) - n*audit.TileWidth; int64(len(stored)) <= most*tlog.HashSize {
			stored = stored[:len(data)]
		}
	}
	if bytes.Equal(stored, data) {
		return nil
	}
	// The first leaf under the first hash that differs.
	first := n * audit.TileWidth
	for i := 0; i+tlog.HashSize <= len(data) && i+tlog.HashSize <= len(stored) && bytes.Equal(stored[i:i+tlog.HashSize], data[i:i+tlog.HashSize]); i += tlog.HashSize {
		first++
	}
	c.h.add(TileAltered, first<<(audit.TileHeight*level), fmt.Sprintf("the stored hashes of level %d, tile %d do not fit the leaves", level, n))
	return nil
}

// edge compares the unfinished tiles.
func (c *checker) edge() error {
	if c.size < c.h.Size {
		return nil
	}
	for level, data := range c.level {
		if len(data) > 0 {
			if err := c.compare(level, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadHeads reads the next checkpoints after a row id, in the order signed.
func (c *checker) loadHeads(after int64) error {
	c.heads = nil
	err := c.log.db.Read(c.ctx).Where("workspace = ? AND id > ? AND size > 0", c.log.o.Workspace, after).Order("id").Limit(MaxPage).Find(&c.heads).Error
	return err
}

// matchHeads checks every checkpoint signed at the present size.
func (c *checker) matchHeads() error {
	for len(c.heads) > 0 && c.heads[0].Size <= c.acc.Size() {
		row := c.heads[0]
		c.heads = c.heads[1:]
		if len(c.heads) == 0 {
			if err := c.loadHeads(row.ID); err != nil {
				return err
			}
		}
		c.matchHead(row)
	}
	return nil
}

func (c *checker) matchHead(row checkpointRow) {
	if row.Origin != c.log.Origin() {
		return // signed by a key retired after a restore
	}
	p, err := c.log.keys.Load().open(row.Note)
	switch {
	case err != nil || p.Size != row.Size || audit.FormatTime(p.Time) != row.Time:
		c.h.add(CheckpointBad, row.Size-1, fmt.Sprintf("the checkpoint of size %d was altered", row.Size))
	case row.Size != c.acc.Size():
		c.h.add(CheckpointBad, row.Size-1, fmt.Sprintf("the checkpoint of size %d stands out of order", row.Size))
	case p.Root != c.acc.Root() && c.h.FirstBad < 0:
		c.h.add(RootDiffers, row.Size-1, fmt.Sprintf("the first %d entries do not give the root that was signed then", row.Size))
	}
}

// outbox looks at what waits.
func (c *checker) outbox() error {
	var rows []eventRow
	l := c.log
	if err := l.db.Read(c.ctx).Model(&eventRow{}).Where("workspace = ? AND idx IS NULL", l.o.Workspace).Count(&c.h.Pending).Error; err != nil {
		return err
	}
	if err := l.db.Read(c.ctx).Where("workspace = ? AND idx IS NULL", l.o.Workspace).Order("id").Limit(MaxPage).Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		hash := audit.LeafHash(r.Leaf)
		if _, err := audit.ParseLeaf(r.Leaf); err != nil || !bytes.Equal(hash[:], r.LeafHash) {
			c.h.add(OutboxAltered, -1, "an event that waits to be included was altered")
		}
	}
	l.mu.Lock()
	fault := l.fault
	l.mu.Unlock()
	if fault != nil {
		c.h.add(SequencerStopped, -1, fault.Error())
	}
	return nil
}
