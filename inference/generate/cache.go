package generate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"vitrine/inference/family"
	"vitrine/inference/kernel"
	"vitrine/inference/op"
)

// memory shares the bytes of key-value pages between requests: a request reserves all that it may need before it starts, so that none
// waits while it holds some.
type memory struct {
	mu    sync.Mutex
	limit int64
	taken int64
	freed chan struct{} // closed and replaced whenever bytes are given back
}

// take waits until n bytes are free.
func (m *memory) take(ctx context.Context, n int64) error {
	if n > m.limit {
		return fmt.Errorf("generate: %w: the request may need %d MiB for what it remembers, the limit is %d MiB; ask for fewer tokens or beams",
			ErrMemory, n>>20, m.limit>>20)
	}
	for {
		m.mu.Lock()
		if m.taken+n <= m.limit {
			m.taken += n
			m.mu.Unlock()
			return nil
		}
		freed := m.freed
		m.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *memory) give(n int64) {
	m.mu.Lock()
	m.taken -= n
	close(m.freed)
	m.freed = make(chan struct{})
	m.mu.Unlock()
}

// sequence is one list of ids with what the network remembers of the first of them.
type sequence struct {
	kv     *op.KV
	ids    []int32
	cached int // positions in the cache
}

func newSequence(ids []int32, layers int) *sequence {
	return &sequence{kv: &op.KV{Self: make([][]*kernel.KVPage, layers)}, ids: slices.Clone(ids)}
}

// room makes pages for the positions up to n.
func (s *sequence) room(n int, c family.Cache) {
	for l := range s.kv.Self {
		for len(s.kv.Self[l])*kernel.PageTokens < n {
			s.kv.Self[l] = append(s.kv.Self[l], kernel.NewKVPage(c.Heads, c.Width))
		}
	}
}

// fork copies a sequence: full pages are shared, the one that is being written is copied.
func (s *sequence) fork() *sequence {
	f := &sequence{ids: slices.Clone(s.ids), cached: s.cached, kv: &op.KV{Cross: s.kv.Cross, Source: s.kv.Source}}
	full := s.cached / kernel.PageTokens
	for _, pages := range s.kv.Self {
		own := slices.Clone(pages)
		for i := full; i < len(own); i++ {
			own[i] = own[i].Clone()
		}
		f.kv.Self = append(f.kv.Self, own)
	}
	return f
}

// prefixes remembers the full pages of prompts, under a digest of all ids up to each page's end; the least recently used go first.
type prefixes struct {
	mu    sync.Mutex
	limit int // blocks
	clock int
	byKey map[[sha256.Size]byte]*block
}

// block is one page of every layer.
type block struct {
	pages []*kernel.KVPage
	used  int
}

// keys digests each full page of ids, and of what an encoder read before it.
func prefixKeys(source, ids []int32) [][sha256.Size]byte {
	var out [][sha256.Size]byte
	digest := func(before []byte, list []int32) [sha256.Size]byte {
		b := slices.Clone(before)
		for _, id := range list {
			b = binary.LittleEndian.AppendUint32(b, uint32(id))
		}
		return sha256.Sum256(b)
	}
	last := digest(nil, source)
	for n := kernel.PageTokens; n <= len(ids); n += kernel.PageTokens {
		last = digest(last[:], ids[n-kernel.PageTokens:n])
		out = append(out, last)
	}
	return out
}

// find gives the sequence the pages that are known of its ids; the last id is left to be computed, because its logits are read.
func (p *prefixes) find(s *sequence, keys [][sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock++
	for _, k := range keys {
		b := p.byKey[k]
		if b == nil || s.cached+kernel.PageTokens >= len(s.ids) {
			return
		}
		b.used = p.clock
		for l, page := range b.pages {
			s.kv.Self[l] = append(s.kv.Self[l], page)
		}
		s.cached += kernel.PageTokens
	}
}

// keep remembers the full pages of a sequence.
func (p *prefixes) keep(s *sequence, keys [][sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock++
	for i, k := range keys {
		if p.byKey[k] != nil || (i+1)*kernel.PageTokens > s.cached {
			continue
		}
		b := &block{used: p.clock}
		for _, pages := range s.kv.Self {
			b.pages = append(b.pages, pages[i])
		}
		p.byKey[k] = b
	}
	for len(p.byKey) > p.limit {
		oldest, found := [sha256.Size]byte{}, false
		for k, b := range p.byKey {
			if !found || b.used < p.byKey[oldest].used {
				oldest, found = k, true
			}
		}
		delete(p.byKey, oldest)
	}
}
