package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Limits of a safetensors header, those of the reference implementation where it has one.
const (
	maxHeader  = 100_000_000
	maxTensors = 200_000
	maxRank    = 16
	maxName    = 1024
)

var typeSize = map[string]int64{
	"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}

type headerEntry struct {
	DType   string
	Shape   []int64
	Offsets []int64
}

// UnmarshalJSON takes exactly the three members, each once.
func (e *headerEntry) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("a tensor is not an object")
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		var to any
		switch name {
		case "dtype":
			to = &e.DType
		case "shape":
			to = &e.Shape
		case "data_offsets":
			to = &e.Offsets
		}
		if to == nil || seen[name] {
			return fmt.Errorf("member %.40q is unknown or given twice", name)
		}
		seen[name] = true
		if err := dec.Decode(to); err != nil {
			return err
		}
	}
	if len(seen) != 3 || e.Shape == nil || len(e.Offsets) != 2 {
		return errors.New("a tensor lacks dtype, shape or two data_offsets")
	}
	return nil
}

// readHeader parses and checks the header: 8 bytes little-endian length, JSON, then the data without holes.
func readHeader(src source) ([]*Tensor, error) {
	var head [8]byte
	if src.Size() < 8 {
		return nil, fmt.Errorf("%w: %d bytes are too few for a safetensors file", ErrFormat, src.Size())
	}
	if err := src.Read(head[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxHeader || int64(n) > src.Size()-8 {
		return nil, fmt.Errorf("%w: the header claims %d bytes, the file has %d (limit %d)", ErrFormat, n, src.Size(), maxHeader)
	}
	raw := make([]byte, n)
	if err := src.Read(raw, 8); err != nil {
		return nil, err
	}
	entries, err := parseHeader(raw)
	if err != nil {
		return nil, err
	}
	tensors := make([]*Tensor, 0, len(entries))
	for name, e := range entries {
		t, err := checkEntry(name, e, src.Size()-8-int64(n))
		if err != nil {
			return nil, err
		}
		t.src = src
		t.off += 8 + int64(n)
		tensors = append(tensors, t)
	}
	return tensors, checkLayout(tensors, 8+int64(n), src.Size())
}

// parseHeader decodes the JSON object strictly: no duplicate name, no unknown member, nothing behind it.
func parseHeader(raw []byte) (map[string]headerEntry, error) {
	bad := func(err error) error { return fmt.Errorf("%w: header is not valid JSON: %v", ErrFormat, err) }
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: header is not UTF-8", ErrFormat)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, fmt.Errorf("%w: header does not start with {", ErrFormat)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, bad(err)
	}
	entries := map[string]headerEntry{}
	seenMeta := false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, bad(err)
		}
		name, _ := key.(string)
		if name == "__metadata__" {
			var meta map[string]string
			if err := dec.Decode(&meta); err != nil || seenMeta {
				return nil, fmt.Errorf("%w: __metadata__ must be one object of strings", ErrFormat)
			}
			seenMeta = true
			continue
		}
		if _, dup := entries[name]; dup || name == "" || len(name) > maxName {
			return nil, fmt.Errorf("%w: tensor name %.80q is empty, too long or given twice", ErrFormat, name)
		}
		var e headerEntry
		if err := dec.Decode(&e); err != nil {
			return nil, bad(err)
		}
		if entries[name] = e; len(entries) > maxTensors {
			return nil, fmt.Errorf("%w: more than %d tensors", ErrFormat, maxTensors)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad(err)
	}
	if rest := bytes.TrimRight(raw[dec.InputOffset():], " \x00"); len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the header's object", ErrFormat, len(rest))
	}
	return entries, nil
}

// checkEntry checks one tensor against the data section; off is relative to it.
func checkEntry(name string, e headerEntry, data int64) (*Tensor, error) {
	width, ok := typeSize[e.DType]
	if !ok {
		return nil, fmt.Errorf("%w: tensor %q has type %.20q; F32, F16 and BF16 checkpoints are read", ErrUnsupported, name, e.DType)
	}
	if len(e.Shape) > maxRank {
		return nil, fmt.Errorf("%w: tensor %q has %d dimensions", ErrFormat, name, len(e.Shape))
	}
	size := width
	shape := make([]int, len(e.Shape))
	for i, d := range e.Shape {
		if d < 0 || d > math.MaxInt32 || (d > 0 && size > math.MaxInt64/2/d) {
			return nil, fmt.Errorf("%w: tensor %q has an impossible shape %v", ErrFormat, name, e.Shape)
		}
		size *= d
		shape[i] = int(d)
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	if begin < 0 || end < begin || end > data {
		return nil, fmt.Errorf("%w: tensor %q lies at %d..%d, the data has %d bytes", ErrFormat, name, begin, end, data)
	}
	if end-begin != size {
		return nil, fmt.Errorf("%w: tensor %q: shape %v needs %d bytes, its range has %d", ErrFormat, name, shape, size, end-begin)
	}
	return &Tensor{Name: name, DType: e.DType, Shape: shape, off: begin, size: size}, nil
}

// checkLayout refuses overlaps and holes: the tensors must tile the data section.
func checkLayout(tensors []*Tensor, begin, end int64) error {
	slices.SortFunc(tensors, func(a, b *Tensor) int {
		switch {
		case a.off != b.off:
			return int(min(max(a.off-b.off, -1), 1))
		case a.size != b.size:
			return int(min(max(a.size-b.size, -1), 1))
		case a.Name < b.Name:
			return -1
		}
		return 1
	})
	at := begin
	for _, t := range tensors {
		if t.off != at {
			return fmt.Errorf("%w: tensor %q starts at byte %d, expected %d (overlap or hole)", ErrFormat, t.Name, t.off-begin, at-begin)
		}
		at += t.size
	}
	if at != end {
		return fmt.Errorf("%w: %d bytes behind the last tensor", ErrFormat, end-at)
	}
	return nil
}
