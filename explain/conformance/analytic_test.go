package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"vitrine/explain"
	"vitrine/explain/metric"
	"vitrine/inference"
)

// Table T1: a BERT with weights from a recurrence, computed by hand from the published formulas and by Captum.

// recurrence is W(tag, n) of the table: u = 1664525 u + 1013904223 mod 2^32 from u = tag, three values skipped,
// u / 2^32 - 0.5.
func recurrence(tag, n int, factor float64) []float32 {
	u := uint32(tag)
	next := func() float64 {
		u = 1664525*u + 1013904223
		return float64(u)/(1<<32) - 0.5
	}
	for range 3 {
		next()
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(factor * next())
	}
	return out
}

// safetensors writes float32 tensors in the given order.
func safetensors(names []string, shapes [][]int, data [][]float32) []byte {
	header := map[string]any{}
	var body bytes.Buffer
	for i, name := range names {
		from := body.Len()
		_ = binary.Write(&body, binary.LittleEndian, data[i])
		header[name] = map[string]any{"dtype": "F32", "shape": shapes[i], "data_offsets": []int{from, body.Len()}}
	}
	raw, _ := json.Marshal(header)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(raw)))
	return append(append(out, raw...), body.Bytes()...)
}

func toyBERT(t *testing.T) *inference.Model {
	t.Helper()
	const d, ffn, layers, classes = 4, 6, 2, 3
	var names []string
	var shapes [][]int
	var data [][]float32
	add := func(name string, values []float32, shape ...int) {
		names, shapes, data = append(names, name), append(shapes, shape), append(data, values)
	}
	norm := func(name string) {
		add(name+".weight", []float32{1, 1, 1, 1}, d)
		add(name+".bias", make([]float32, d), d)
	}
	linear := func(name string, weight, bias, out, in int) {
		add(name+".weight", recurrence(weight, out*in, 2), out, in)
		add(name+".bias", recurrence(bias, out, 1), out)
	}
	add("bert.embeddings.word_embeddings.weight", recurrence(1, 7*d, 2), 7, d)
	add("bert.embeddings.position_embeddings.weight", recurrence(2, 4*d, 1), 4, d)
	add("bert.embeddings.token_type_embeddings.weight", make([]float32, d), 1, d)
	norm("bert.embeddings.LayerNorm")
	for l := range layers {
		p, tag := fmt.Sprintf("bert.encoder.layer.%d.", l), 10*(l+1)
		linear(p+"attention.self.query", tag+1, tag+2, d, d)
		linear(p+"attention.self.key", tag+3, tag+4, d, d)
		linear(p+"attention.self.value", tag+5, tag+6, d, d)
		linear(p+"attention.output.dense", tag+7, tag+8, d, d)
		norm(p + "attention.output.LayerNorm")
		linear(p+"intermediate.dense", tag+9, tag+10, ffn, d)
		linear(p+"output.dense", tag+31, tag+32, d, ffn)
		norm(p + "output.LayerNorm")
	}
	linear("bert.pooler.dense", 3, 4, d, d)
	linear("classifier", 5, 6, classes, d)
	config := `{"architectures":["BertForSequenceClassification"],"model_type":"bert","vocab_size":7,"hidden_size":4,"num_hidden_layers":2,` +
		`"num_attention_heads":2,"intermediate_size":6,"hidden_act":"gelu","max_position_embeddings":4,"type_vocab_size":1,"layer_norm_eps":1e-12,` +
		`"pad_token_id":0,"id2label":{"0":"a","1":"b","2":"c"}}`
	dir := t.TempDir()
	for name, raw := range map[string][]byte{"config.json": []byte(config), "model.safetensors": safetensors(names, shapes, data)} {
		if err := os.WriteFile(dir+"/"+name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var fsys fs.FS = os.DirFS(dir)
	m, err := inference.OpenFS(fsys, "T1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type tableRow struct {
	Method, Setting string
	Expected        []float64
}

func table(t *testing.T, name string) []tableRow {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden/explain/analytic/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Rows []tableRow }
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out.Rows
}

// The rows of T1 that the built methods answer; every other row must belong to a method that is not built.
func TestToyBERT(t *testing.T) {
	m := toyBERT(t)
	info := m.Info()
	ctx := context.Background()
	problem := func() *explain.Problem {
		ids := []int32{1, 3, 5, 2}
		p := &explain.Problem{Engine: m, Info: info, Example: inference.Example{IDs: ids}, Params: map[string]any{}, Detail: true,
			Target: inference.Target{Index: []int{0}, Quantity: "logit"}, Baseline: explain.Baseline{Name: "pad", IDs: []int32{1, 0, 0, 2}}}
		for i, id := range ids {
			p.Tokens = append(p.Tokens, inference.Token{ID: id, Special: i == 0 || i == 3})
		}
		return p
	}
	run := func(p *explain.Problem, method string, given map[string]any) *explain.Attribution {
		t.Helper()
		def, _ := explain.Lookup(method)
		var err error
		if p.Params, err = def.Resolve(given); err != nil {
			t.Fatal(err)
		}
		a, err := explain.Attribute(ctx, method, p)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ig := func(rule string, n int) *explain.Attribution {
		return run(problem(), "integrated-gradients", map[string]any{"profile": "captum", "rule": rule, "steps": n})
	}
	heads := func(layer, head int) []float64 {
		a := run(problem(), "attention", map[string]any{"layer": layer, "head": head})
		return a.Values
	}
	removal := func(mode string, fraction float64) []float64 {
		p := problem()
		p.Target.Quantity = "prob"
		p.Info.SpecialIDs.Pad = 0
		s := &metric.Subject{Value: explain.RemoveTokens(p, []int{1, 2})}
		var out []float64
		for _, rest := range []bool{false, true} {
			steps, err := metric.Removal{Subject: s, Mode: mode, Fractions: []float64{fraction}, Rest: rest}.Steps(ctx, [][]int{{0, 1}})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, steps[0][0])
		}
		return out
	}
	inner := func(a *explain.Attribution) []float64 { return a.Values[1:3] }
	zero := func() *explain.Problem {
		p := problem()
		p.Baseline = explain.Baseline{Name: "zero", Embeddings: make([]float32, 16)}
		return p
	}
	got := map[string][]float64{}
	set := func(key string, v []float64) { got[key] = v }
	set("generator/W(1,(4))", widen(recurrence(1, 4, 1)))
	set("Saliency/sum per token", run(problem(), "saliency", map[string]any{"reduce": "sum"}).Values)
	set("Saliency/L2 per token", run(problem(), "saliency", nil).Values)
	set("InputXGradient/word embedding", run(problem(), "input-x-gradient", nil).Values)
	for _, n := range []int{8, 50, 300} {
		a := ig("gausslegendre", n)
		set(fmt.Sprintf("IntegratedGradients/gl%d", n), a.Values)
		set(fmt.Sprintf("IntegratedGradients/gl%d delta", n), []float64{a.Delta()})
	}
	trap := ig("riemann_trapezoid", 50)
	set("IntegratedGradients/captum riemann_trapezoid 50, tokens 1,2", inner(trap))
	set("IntegratedGradients/captum riemann_trapezoid 50 delta", []float64{trap.Delta()})
	for _, rule := range []string{"middle", "left", "right"} {
		set("IntegratedGradients/riemann_"+rule+" 50, tokens 1,2", inner(ig("riemann_"+rule, 50)))
	}
	set("IntegratedGradients/zero baseline gl50", run(zero(), "integrated-gradients", map[string]any{"profile": "captum"}).Values)
	prob := problem()
	prob.Target.Quantity = "prob"
	set("IntegratedGradients/softmax probability, PAD baseline, gl50", run(prob, "integrated-gradients", map[string]any{"profile": "captum"}).Values)
	set("attention/layer0 head0 row0", heads(0, 0))
	set("attention/layer1 head1 row0", heads(1, 1))
	set("AttentionRollout/row 0", run(problem(), "attention-rollout", nil).Values)
	set("CheferRelevance/row 0", run(problem(), "chefer", nil).Values)
	all := problem()
	all.Baseline.IDs = make([]int32, 4)
	set("Occlusion/token -> id 0, logit", run(all, "occlusion", nil).Values)
	shapley := problem()
	shapley.Baseline.IDs = make([]int32, 4)
	shapley.Given = &explain.Given{Groups: [][]int{{0}, {1}, {2}, {3}}}
	set("ShapleyValues/all-PAD baseline, exact", run(shapley, "shapley", nil).Values)
	noisyRows(t, m, problem, run, set)
	set("comprehensiveness/sufficiency/IG order, softmax prob, delete, k=1: comp, suff", removal("delete", 0.5))
	set("comprehensiveness/sufficiency/delete, k=2: comp, suff", removal("delete", 1))
	set("comprehensiveness/sufficiency/mask with id 0, k=1: comp, suff", removal("pad", 0.5))
	set("comprehensiveness/sufficiency/mask with id 0, k=2: comp, suff", removal("pad", 1))
	for _, row := range table(t, "T1") {
		key := row.Method + "/" + row.Setting
		have, ok := got[key]
		if !ok {
			if _, built := runners[row.Method]; built && row.Method != "forward" && !strings.Contains(row.Setting, "sum") {
				t.Errorf("row %s is not compared", key)
			}
			continue
		}
		delete(got, key)
		if len(have) != len(row.Expected) {
			t.Fatalf("%s: %d values, want %d", key, len(have), len(row.Expected))
		}
		for i := range have {
			if math.Abs(have[i]-row.Expected[i]) > 1e-5+1e-5*math.Abs(row.Expected[i]) {
				t.Errorf("%s: value %d is %v, want %v", key, i, have[i], row.Expected[i])
			}
		}
	}
	for key := range got {
		t.Errorf("the table has no row %s", key)
	}
}

// noisyRows holds infidelity and sensitivity with noise from the recurrence.
func noisyRows(t *testing.T, m *inference.Model, problem func() *explain.Problem, run func(*explain.Problem, string, map[string]any) *explain.Attribution, set func(string, []float64)) {
	t.Helper()
	p := problem()
	tap := m.Info().Taps.Embeddings
	out, err := m.Run(context.Background(), []inference.Example{p.Example}, inference.RunSpec{Taps: []string{tap}})
	if err != nil {
		t.Fatal(err)
	}
	x := out[0].Taps[tap].Data
	const n = 10
	var perturbation, noise []float32
	for j := range n {
		perturbation = append(perturbation, recurrence(90+j, len(x), 0.1)...)
		noise = append(noise, recurrence(70+j, len(x), 0.04)...)
	}
	target := p.Target
	batch := []inference.Example{p.Example}
	for i := range n {
		batch = append(batch, at(p, moved(x, widen(perturbation[i*len(x):(i+1)*len(x)]), -1)))
	}
	if out, err = m.Run(context.Background(), batch, inference.RunSpec{Target: &target}); err != nil {
		t.Fatal(err)
	}
	local := problem()
	local.Local = true
	gl50 := map[string]any{"profile": "captum"}
	gradient, ig := run(problem(), "saliency", nil).Detail, run(local, "integrated-gradients", gl50).Detail
	terms := func(a []float64, normalised bool) []float64 {
		products, drops := make([]float64, n), make([]float64, n)
		for i := range n {
			drops[i] = out[0].Value - out[i+1].Value
			for k := range x {
				products[i] += a[k] * float64(perturbation[i*len(x)+k])
			}
		}
		return []float64{metric.Mean(metric.Infidelity(products, drops, normalised))}
	}
	set("infidelity/plain gradient", terms(gradient, false))
	set("infidelity/IG without (x-b) factor", terms(ig, false))
	set("infidelity/IG without (x-b) factor, normalised", terms(ig, true))
	largest := func(method string, params map[string]any) []float64 {
		first := run(problem(), method, params).Detail
		var others [][]float64
		for i := range n {
			q := problem()
			q.Example = at(q, moved(x, widen(noise[i*len(x):(i+1)*len(x)]), 1))
			others = append(others, run(q, method, params).Detail)
		}
		return []float64{slices.Max(metric.Changes(first, others))}
	}
	set("sensitivity_max/signed gradient", largest("saliency", nil))
	set("sensitivity_max/IG gl50, baseline fixed", largest("integrated-gradients", gl50))
}
