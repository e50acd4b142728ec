package explain

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestReplay: every method's record is made again bit for bit; another model, another input, a missing input and changed
// records each get their own answer.
func TestReplay(t *testing.T) {
	ctx := context.Background()
	for _, m := range Methods() {
		for _, engine := range toys() {
			if m.suits(engine.info) != nil || len(engines(t, m)) == 1 {
				continue
			}
			in := toyInputs[engine.info.Modality]
			e := mustExplain(t, Request{Model: engine, Input: in, Method: m.ID, Seed: 1 << 60, Draws: 2, Params: quick(m)})
			if err := e.Seal(RecordContext{Workspace: "w", Actor: "user:01J", Time: time.Unix(1700000000, 5)}); err != nil {
				t.Fatal(err)
			}
			got, err := Replay(ctx, ReplayRequest{Record: e.Record, Hash: e.RecordHash, Model: engine, Input: &in, Threads: 3})
			if err != nil || !got.Identical || !got.Ran {
				t.Errorf("%s on %s: %+v, %v", m.ID, engine.info.Name, got, err)
			}
		}
	}
	engine, in := toyText(), toyInputs["text"]
	e := mustExplain(t, Request{Model: engine, Input: in, Method: "saliency", Draws: 2})
	if err := e.Seal(RecordContext{Time: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	other := toyText()
	other.info.Digest = "another checkpoint of the same name"
	longer := in
	longer.Text += " again"
	first := strings.Index(string(e.Record), `"attributions":[`) + len(`"attributions":[`)
	forged := bytes.Clone(e.Record)
	forged[first+3] = '9' - forged[first+3] + '0' // one digit of one value
	for name, c := range map[string]struct {
		q    ReplayRequest
		code string
	}{
		"another model": {ReplayRequest{Record: e.Record, Model: other, Input: &in}, "model"},
		"erased":        {ReplayRequest{Record: e.Record, Model: engine}, "input-erased"},
		"another text":  {ReplayRequest{Record: e.Record, Model: engine, Input: &longer}, "tokens"},
		"forged value":  {ReplayRequest{Record: forged, Model: engine, Input: &in}, "value"},
	} {
		got, err := Replay(ctx, c.q)
		if err != nil || got.Identical || len(got.Differences) == 0 || got.Differences[0].Code != c.code {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if s := got.Differences[0].String(); s == "" {
			t.Errorf("%s: no words", name)
		}
	}
	for name, q := range map[string]ReplayRequest{
		"forged under a hash": {Record: forged, Hash: e.RecordHash, Model: engine, Input: &in},
		"not canonical":       {Record: append([]byte(" "), e.Record...), Model: engine, Input: &in},
		"unknown format":      {Record: bytes.Replace(e.Record, []byte(RecordFormat), []byte("vitrine-explanation/9"), 1), Model: engine, Input: &in},
		"empty":               {Model: engine, Input: &in},
	} {
		if _, err := Replay(ctx, q); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReplay: no bytes make a panic, and nothing but a record is replayed.
func FuzzReplay(f *testing.F) {
	engine, in := toyText(), toyInputs["text"]
	e, err := Explain(context.Background(), Request{Model: engine, Input: in, Method: "saliency", Draws: -1})
	if err != nil || e.Seal(RecordContext{Time: time.Unix(1, 0)}) != nil {
		f.Fatal(err)
	}
	f.Add([]byte(e.Record))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"format":"vitrine-explanation/1"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := Replay(context.Background(), ReplayRequest{Record: raw, Model: engine, Input: &in})
		if err == nil && got.Identical && !bytes.Contains(raw, []byte(RecordFormat)) {
			t.Errorf("replayed %q", raw)
		}
	})
}
