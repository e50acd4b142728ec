package explain

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"slices"
	"sync"

	"vitrine/inference"
)

// Ask names a method and its parameters.
type Ask struct {
	Method string
	Params map[string]any
}

// Answer is what one Ask came to: an explanation, or the error that Explain gives.
type Answer struct {
	Explanation *Explanation
	Err         error
}

// Each explains one input by several methods, in the order asked, and runs the model once for what they have in common: one
// forward pass with one reverse pass serves attentions, hidden states and embeddings, and an input with the same units removed
// runs once for all methods and figures. Every explanation has the bits that Explain gives alone, and counts what it asked for.
// r.Method and r.Params are not read. It stops at the end of the context, with the context's error in each answer left.
func Each(ctx context.Context, r Request, asks []Ask) []Answer {
	r.Model = share(r.Model)
	out := make([]Answer, len(asks))
	for i, a := range asks {
		if err := ctx.Err(); err != nil {
			out[i].Err = err
			continue
		}
		r.Method, r.Params = a.Method, a.Params
		out[i].Explanation, out[i].Err = Explain(ctx, r)
	}
	return out
}

// Limits of what is kept: bytes in all, and values of one example's trace.
const (
	sharedBytes = 512 << 20
	traceValues = 16 << 20
)

// shared is an engine that keeps what it computed. Examples that Encode gave, and single examples, are traced: the first
// gradient asked of one brings every layer's.
type shared struct {
	Engine
	info inference.Info

	mu      sync.Mutex
	encoded *inference.Encoded
	input   inference.Input
	homes   map[runKey]bool
	known   map[runKey]inference.Result
	bytes   int
}

// runKey is the hash of an example and a target.
type runKey [sha256.Size]byte

func share(e Engine) Engine {
	if e == nil {
		return nil
	}
	return &shared{Engine: e, info: e.Info(), homes: map[runKey]bool{}, known: map[runKey]inference.Result{}}
}

func (s *shared) Info() inference.Info { return s.info }

// Word and WordEmbeddings are the vocabulary of the engine behind, where it shows one.
func (s *shared) Word(id int32) (string, bool) {
	if v, ok := vocabulary(s.Engine); ok {
		return v.Word(id)
	}
	return "", false
}

func (s *shared) WordEmbeddings() (inference.Tensor, bool) {
	if v, ok := vocabulary(s.Engine); ok {
		return v.WordEmbeddings()
	}
	return inference.Tensor{}, false
}

// Encode remembers the last input.
func (s *shared) Encode(ctx context.Context, in inference.Input) (*inference.Encoded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.encoded != nil && in.Text == s.input.Text && in.Pair == s.input.Pair && string(in.Image) == string(s.input.Image) {
		return s.encoded, nil
	}
	e, err := s.Engine.Encode(ctx, in)
	if err != nil {
		return nil, err
	}
	s.encoded, s.input = e, in
	for _, w := range e.Windows {
		s.homes[keyOf(w.Example, nil)] = true
	}
	return e, nil
}

// Run runs what was not run before.
func (s *shared) Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	plain := spec.Targets == nil && spec.Rule == "" && spec.Patch == nil
	home := len(batch) == 1
	for _, x := range batch {
		plain = plain && x.Patch == nil
		home = home || s.homes[keyOf(x, nil)]
	}
	if !plain || len(spec.Wrt) > 0 && !home { // path points never come again
		return s.Engine.Run(ctx, batch, spec)
	}
	out := make([]inference.Result, len(batch))
	keys := make([]runKey, len(batch))
	waiting := map[runKey]bool{}
	var fresh []int
	for i, x := range batch {
		keys[i] = keyOf(x, spec.Target)
		r, ok := s.known[keys[i]]
		if ok = ok && holds(r, spec); ok {
			out[i] = r
		} else if !waiting[keys[i]] {
			waiting[keys[i]] = true
			fresh = append(fresh, i)
		}
	}
	if len(fresh) == 0 {
		return out, nil
	}
	if err := s.compute(ctx, batch, spec, keys, fresh, out); err != nil {
		return nil, err
	}
	for i := range out { // twins inside the batch
		for _, f := range fresh {
			if out[i].Output.Data == nil && keys[i] == keys[f] {
				out[i] = out[f]
			}
		}
	}
	return out, nil
}

// compute runs the fresh examples of a batch and keeps their results.
func (s *shared) compute(ctx context.Context, batch []inference.Example, spec inference.RunSpec, keys []runKey, fresh []int, out []inference.Result) error {
	part := make([]inference.Example, len(fresh))
	for k, i := range fresh {
		part[k] = batch[i]
	}
	if len(spec.Wrt) > 0 && s.room(part) {
		spec.Taps, spec.Wrt = s.everything(spec.Taps), s.everything(spec.Wrt)
	}
	got, err := s.Engine.Run(ctx, part, spec)
	if err != nil {
		return err
	}
	for k, i := range fresh {
		out[i] = got[k]
		size := len(keys[i]) + 8*len(got[k].Output.Data)
		for _, m := range []map[string]inference.Tensor{got[k].Taps, got[k].Grads} {
			for _, t := range m {
				size += 4 * len(t.Data)
			}
		}
		if s.bytes+size <= sharedBytes {
			s.known[keys[i]] = got[k]
			s.bytes += size
		}
	}
	return nil
}

// everything adds the taps of a trace to those asked for.
func (s *shared) everything(taps []string) []string {
	t := s.info.Taps
	all := slices.Concat(taps, []string{t.Embeddings, t.Pixels}, t.Attentions, t.Hidden, t.Features)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool { return name == "" })
}

// room says whether traces of the examples are small enough to be kept.
func (s *shared) room(batch []inference.Example) bool {
	n := 0
	for _, x := range batch {
		t := len(x.IDs)
		n += t*max(1, s.info.Hidden)*(s.info.Layers+2) + t*t*s.info.Heads*s.info.Layers + 64*len(x.Pixels)
	}
	return n <= traceValues
}

// holds says whether a kept result has what is asked for.
func holds(r inference.Result, spec inference.RunSpec) bool {
	for _, name := range spec.Taps {
		if _, ok := r.Taps[name]; !ok {
			return false
		}
	}
	for _, name := range spec.Wrt {
		if _, ok := r.Grads[name]; !ok {
			return false
		}
	}
	return true
}

// keyOf hashes everything that a run of the example depends on. Each part is led by its length, so that no two sequences of
// parts are alike.
func keyOf(x inference.Example, target *inference.Target) runKey {
	h := sha256.New()
	hashInts(h, x.IDs)
	hashInts(h, x.Types)
	hashInts(h, x.Decoder)
	hashFloats(h, x.Embeddings)
	hashFloats(h, x.Pixels)
	hashInts(h, x.Shape)
	if target != nil {
		hashInts(h, target.Index)
		hashInts(h, target.Minus)
		h.Write([]byte(target.Quantity))
	}
	var key runKey
	h.Sum(key[:0])
	return key
}

func hashInts[N int | int32](h hash.Hash, values []N) {
	raw := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+8*len(values)), uint64(len(values)))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	h.Write(raw)
}

func hashFloats(h hash.Hash, values []float32) {
	raw := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+4*len(values)), uint64(len(values)))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	h.Write(raw)
}
