package explain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/gowebpki/jcs"

	"vitrine/inference"
)

// ErrRecord: the bytes are no explanation record, or not the record that the hash names.
var ErrRecord = errors.New("not a usable record")

// maxRecord bounds a record; a map of a large picture is its largest part.
const maxRecord = 256 << 20

// ReplayRequest asks whether a record can be made again. Input is nil where it was erased or is not at hand.
type ReplayRequest struct {
	Record []byte
	Hash   string // sha256 of the record as the log names it, "" where no log is at hand
	Model  Engine
	Input  *inference.Input
	// Continuation, instead of Input, is what a generating model read and wrote.
	Continuation *Continuation
	Threads      int
}

// Difference is one reason why a replay is not identical. Codes: input-erased, model (another digest), method-version,
// engine-version, cpu-level (named only beside another difference), tokens, not-repeatable, and value, whose What names
// the field of the record.
type Difference struct {
	Code     string  `json:"code"`
	What     string  `json:"what,omitempty"`
	Recorded string  `json:"recorded,omitempty"`
	Now      string  `json:"now,omitempty"`
	Count    int     `json:"count,omitempty"`   // values that differ
	Largest  float64 `json:"largest,omitempty"` // largest difference of a value
}

func (d Difference) String() string {
	switch {
	case d.Code == "input-erased":
		return "the input was erased or is not at hand"
	case d.Code == "value" && d.Count > 0:
		return fmt.Sprintf("%s: %d values differ, by at most %.3g", d.What, d.Count, d.Largest)
	case d.What != "":
		return fmt.Sprintf("%s %s: recorded %s, now %s", d.Code, d.What, d.Recorded, d.Now)
	}
	return fmt.Sprintf("%s: recorded %s, now %s", d.Code, d.Recorded, d.Now)
}

// Replayed is the answer: identical bits, or different because of each of Differences. Ran says whether the explanation
// was computed again at all; it is not where that could only explain something else.
type Replayed struct {
	Identical   bool         `json:"identical"`
	Ran         bool         `json:"ran"`
	Method      string       `json:"method"`
	Digest      string       `json:"digest"` // of the model that was used
	Hash        string       `json:"record_hash"`
	Differences []Difference `json:"differences,omitempty"`
}

// readRecord checks that raw is a canonical record of a format that this program knows, and that it is the one that the hash
// names unless that is "". Errors wrap ErrRecord.
func readRecord(raw []byte, hash string) (*record, string, error) {
	if len(raw) > maxRecord {
		return nil, "", fmt.Errorf("explain: a record of %d bytes: %w", len(raw), ErrRecord)
	}
	sum := sha256.Sum256(raw)
	own := hex.EncodeToString(sum[:])
	if hash != "" && hash != own {
		return nil, own, fmt.Errorf("explain: the record's hash is %s, the log names %s: it was changed: %w", own, clip(hash), ErrRecord)
	}
	canonical, err := jcs.Transform(raw)
	if err != nil || !bytes.Equal(canonical, raw) {
		return nil, own, fmt.Errorf("explain: the record is not canonical JSON (RFC 8785): it was changed: %w", ErrRecord)
	}
	var r record
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, own, fmt.Errorf("explain: reading the record: %v: %w", err, ErrRecord)
	}
	if r.Format != RecordFormat {
		return nil, own, fmt.Errorf("explain: record format %q, this program reads %s: %w", clip(r.Format), RecordFormat, ErrRecord)
	}
	return &r, own, nil
}

// Replay computes a record again and compares every value bit by bit. It never replaces anything: another model, another
// method version or a missing input is an answer that names itself. Errors wrap ErrRecord, or are those of Explain where the
// recorded request cannot be run although everything matches.
func Replay(ctx context.Context, q ReplayRequest) (*Replayed, error) {
	r, hash, err := readRecord(q.Record, q.Hash)
	if err != nil {
		return nil, err
	}
	info := q.Model.Info()
	out := &Replayed{Method: r.Method, Digest: info.Digest, Hash: hash}
	differ := func(code, recorded, now string) {
		if recorded != now {
			out.Differences = append(out.Differences, Difference{Code: code, Recorded: recorded, Now: now})
		}
	}
	m, known := Lookup(r.Method)
	differ("model", r.Model.Digest, info.Digest)
	if !known {
		differ("method-version", r.Method+" "+r.MethodVersion, "not part of this program")
	} else {
		differ("method-version", r.MethodVersion, m.Version)
	}
	if q.Input == nil && r.Target.Words == 0 || q.Continuation == nil && r.Target.Words > 0 {
		out.Differences = append(out.Differences, Difference{Code: "input-erased"})
	}
	if len(out.Differences) > 0 {
		return out, nil
	}
	if out.Ran = true; r.Engine.Version != inference.EngineVersion() {
		differ("engine-version", r.Engine.Version, inference.EngineVersion())
	}
	e, err := Explain(ctx, r.request(q))
	if err != nil {
		return nil, err
	}
	out.compare(r, e)
	if len(out.Differences) > 0 {
		differ("cpu-level", r.Engine.CPULevel, inference.CPULevel())
	}
	out.Identical = len(out.Differences) == 0
	return out, nil
}

// request is what the record answered.
func (r *record) request(q ReplayRequest) Request {
	seed, err := strconv.ParseUint(r.Seed, 10, 64)
	if err != nil {
		seed = 0
	}
	draws := r.Draws
	if draws == 0 {
		draws = -1
	}
	out := Request{Model: q.Model, Continuation: q.Continuation, Method: r.Method, Params: r.Params, Target: targetName(r.Target), Seed: seed, Draws: draws, Threads: q.Threads}
	if r.Target.Words == 0 {
		out.Input, out.Continuation = *q.Input, nil
	}
	return out
}

// compare holds the explanation made now against the record, part by part. What a run costs, the gate and the figure of
// agreement (which other explanations enter) are no part of it.
func (out *Replayed) compare(r *record, e *Explanation) {
	at, err := time.Parse(time.RFC3339Nano, r.Time)
	if err != nil {
		at = time.Time{}
	}
	now := e.record(RecordContext{Time: at})
	if !slices.Equal(r.Tokens, now.Tokens) {
		out.Differences = append(out.Differences, Difference{Code: "tokens", Recorded: strconv.Itoa(len(r.Tokens)), Now: strconv.Itoa(len(now.Tokens))})
	}
	for _, part := range []struct {
		what          string
		recorded, now any
	}{
		{"target", r.Target, now.Target}, {"params", r.Params, now.Params}, {"layer", r.Layer, now.Layer}, {"baseline", r.Baseline, now.Baseline},
		{"baseline_ids", r.BaselineIDs, now.BaselineIDs},
		{"output", r.Output, now.Output}, {"baseline_output", r.BaselineOutput, now.BaselineOutput}, {"delta", r.Delta, now.Delta},
		{"attributions", r.Attributions, now.Attributions}, {"map", r.Map, now.Map}, {"companion", r.Companion, now.Companion},
		{"grid", r.Grid, now.Grid}, {"flips", r.Flips, now.Flips}, {"windows", r.Windows, now.Windows}, {"metrics", alone(r.Metrics), alone(now.Metrics)},
		{"warnings", r.Warnings, now.Warnings},
	} {
		a, b := canonical(part.recorded), canonical(part.now)
		if bytes.Equal(a, b) {
			continue
		}
		d := Difference{Code: "value", What: part.what, Count: 1}
		x, y := numbers(a), numbers(b)
		if len(x) == len(y) {
			d.Count = 0
			for i := range x {
				if x[i] != y[i] {
					d.Count++
					d.Largest = max(d.Largest, math.Abs(x[i]-y[i]))
				}
			}
		}
		out.Differences = append(out.Differences, d)
	}
}

// alone leaves out the figure that depends on other explanations.
func alone(list []Metric) []Metric {
	return slices.DeleteFunc(slices.Clone(list), func(m Metric) bool { return m.ID == "agreement" })
}

// canonical is a value's canonical JSON; null, and empty lists and maps, are one.
func canonical(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	out, err := jcs.Transform(append(append([]byte(`{"v":`), raw...), '}'))
	switch s := string(out); {
	case err != nil:
		return raw
	case s == `{"v":null}` || s == `{"v":[]}` || s == `{"v":{}}`:
		return nil
	}
	return out
}

// numbers lists the numbers in a JSON value, in order.
func numbers(raw []byte) []float64 {
	var out []float64
	d := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.Token()
		if err != nil {
			return out
		}
		if f, ok := token.(float64); ok {
			out = append(out, f)
		}
	}
}
