package main

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// peer is one program on the other side, with the largest ratio ours/peer that is asked for and the one that is aimed at.
type peer struct {
	name      string
	most, aim float64
}

// row is one line of the table.
type row struct {
	name   string
	work   string
	kase   string // the peers' name of the case
	model  string // folder of the checkpoint, "" for none
	args   string // of vitrine bench
	input  string // file of the input
	peers  []peer
	rounds int // with several threads
	// roundsAlone are the rounds on one thread.
	roundsAlone int
	best        bool    // the peers are variants of one: the fastest counts
	metric      string  // "" for the median time
	unit        string  // of metric, "" for milliseconds
	from        string  // taken from the measurement of another row
	alone       bool    // share of the processor's peak, no peer
	streams     bool    // tokens per second of eight streams beside those of one, no peer
	least       float64 // of that share
	delta       bool    // the completeness delta is shown
	slow        bool    // takes minutes; on one thread only the first peer is measured
}

func onnx(most, aim float64) []peer {
	return []peer{{"onnxruntime", most, aim}, {"onnxruntime-fused", most, aim}}
}

// rows lists the table, most wanted first.
var rows = []row{
	{name: "bert-1x128", work: "BERT-base forward, 1×128", kase: "bert-forward-1x128", model: "bert-base-cls", args: "--case forward --tokens 128", input: "ids-1x128",
		peers: onnx(0.95, 0.82), best: true, rounds: 3, roundsAlone: 2},
	{name: "bert-8x128", work: "BERT-base forward, 8×128", kase: "bert-forward-8x128", model: "bert-base-cls", args: "--case forward --tokens 128 --batch 8", input: "ids-8x128",
		peers: onnx(0.95, 0.82), best: true, rounds: 2, roundsAlone: 1},
	{name: "bert-1x512", work: "BERT-base forward, 1×512", kase: "bert-forward-1x512", model: "bert-base-cls", args: "--case forward --tokens 512", input: "ids-1x512",
		peers: onnx(0.95, 0.82), best: true, rounds: 2, roundsAlone: 1},
	{name: "minilm-1x16", work: "MiniLM forward, 1×16", kase: "minilm-forward-1x16", model: "minilm", args: "--case hidden --tokens 16", input: "ids-1x16",
		peers: onnx(0.90, 0.70), best: true, rounds: 3, roundsAlone: 2},
	{name: "minilm-32x128", work: "MiniLM forward, 32×128", kase: "minilm-forward-32x128", model: "minilm", args: "--case hidden --tokens 128 --batch 32", input: "ids-32x128",
		peers: onnx(0.90, 0.70), best: true, rounds: 2, roundsAlone: 1},
	{name: "resnet50-1", work: "ResNet-50 forward, 1 image", kase: "resnet50-forward-1", model: "resnet-50", args: "--case forward", input: "pixels-1",
		peers: []peer{{"onnxruntime", 1, 0.88}}, rounds: 2, roundsAlone: 2},
	{name: "resnet50-8", work: "ResNet-50 forward, 8 images", kase: "resnet50-forward-8", model: "resnet-50", args: "--case forward --batch 8", input: "pixels-8",
		peers: []peer{{"onnxruntime", 1, 0.88}}, rounds: 2, roundsAlone: 2},
	{name: "attentions", work: "all attention maps, BERT-base 1×128, with logits", kase: "attention-maps-bert-1x128", model: "bert-base-cls", args: "--case attentions --tokens 128", input: "ids-1x128",
		peers: []peer{{"onnxruntime", 0.90, 0.80}}, rounds: 2, roundsAlone: 2},
	{name: "ig-captum", work: "integrated gradients, BERT-base 1×128, 50 points", kase: "ig-bert-1x128", model: "bert-base-cls",
		args: "--case integrated-gradients --profile captum --tokens 128", input: "ids-1x128", delta: true, slow: true,
		peers: []peer{{"captum-onednn-b10", 0.82, 0.72}, {"captum-b10", 0.45, 0.40}}, rounds: 1, roundsAlone: 1},
	{name: "ig-adaptive", work: "the same, adaptive default", kase: "ig-bert-1x128", model: "bert-base-cls",
		args: "--case integrated-gradients --profile adaptive --tokens 128", input: "ids-1x128", delta: true, slow: true,
		peers: []peer{{"captum-onednn-b10", 0.55, 0.35}, {"captum-b10", 0.30, 0.20}}, rounds: 1, roundsAlone: 1},
	{name: "ixg", work: "input × gradient, BERT-base 1×128", kase: "ixg-bert-1x128", model: "bert-base-cls", args: "--case input-x-gradient --tokens 128", input: "ids-1x128",
		peers: []peer{{"captum-onednn", 0.82, 0.70}, {"captum", 0.45, 0.35}}, rounds: 2, roundsAlone: 1},
	{name: "occlusion", work: "occlusion over 128 tokens, BERT-base", kase: "occlusion-bert-128", model: "bert-base-cls", args: "--case occlusion --tokens 128", input: "ids-1x128", slow: true,
		peers: []peer{{"onnxruntime-b16", 0.95, 0.82}}, rounds: 1, roundsAlone: 1},
	{name: "grad-cam", work: "Grad-CAM, ResNet-50, last stage", kase: "gradcam-resnet50", model: "resnet-50", args: "--case grad-cam", input: "pixels-1",
		peers: []peer{{"captum", 0.50, 0.40}, {"grad-cam", 0.25, 0.18}}, rounds: 2, roundsAlone: 1},
	{name: "load", work: "load BERT-base from safetensors to first answer", kase: "load-bert", model: "bert-base-cls", args: "--case load",
		peers: []peer{{"onnxruntime", 0.60, 0.35}}, rounds: 3, roundsAlone: 2},
	{name: "gpt2-prefill", work: "GPT-2 small prefill, 128 tokens", kase: "gpt2-prefill-128", model: "gpt2", args: "--case prefill --tokens 128", input: "gpt2-128",
		peers: []peer{{"onnxruntime", 0.95, 0.82}, {"onnxruntime-op23", 0.95, 0.82}}, best: true, rounds: 3, roundsAlone: 2},
	{name: "gpt2-decode", work: "GPT-2 small decode, 64 tokens, float32", kase: "gpt2-decode-64", model: "gpt2", args: "--case decode --tokens 64 --new-tokens 64", input: "gpt2-64",
		peers: []peer{{"llama.cpp-f32", 0.95, 0.80}, {"onnxruntime", 0.95, 0.80}}, rounds: 3, roundsAlone: 2},
	{name: "smollm2-decode", work: "SmolLM2-135M Q4_1 decode, 64 tokens", kase: "smollm2-decode-64", model: "smollm2-135m", args: "--case decode --tokens 64 --new-tokens 64", input: "smollm2-64",
		peers: []peer{{"llama.cpp", 0.90, 0.55}}, rounds: 3, roundsAlone: 2},
	{name: "smollm2-prefill", work: "SmolLM2-135M Q4_1 prefill, 128 tokens", kase: "smollm2-prefill-128", model: "smollm2-135m", args: "--case prefill --tokens 128", input: "smollm2-128",
		peers: []peer{{"torch-fp32", 0.70, 0.50}, {"llama.cpp", 0.50, 0.35}}, rounds: 2, roundsAlone: 1},
	{name: "generation-ixg", work: "32 tokens after 64, input × gradient of each, GPT-2", kase: "gpt2-gen-ixg-32", model: "gpt2",
		args: "--case generation-attribution --tokens 64 --new-tokens 32", input: "gpt2-text-64", slow: true,
		peers: []peer{{"torch-onednn-1fwd-32bwd", 0.70, 0.50}, {"inseq", 0.18, 0.12}}, rounds: 1, roundsAlone: 1},
	{name: "load-smollm2", work: "load SmolLM2 from GGUF to first token", kase: "load-smollm2", model: "smollm2-135m", args: "--case load",
		peers: []peer{{"llama.cpp", 1, 0.7}}, rounds: 3, roundsAlone: 2},
	{name: "memory-smollm2-load", work: "peak memory, load of SmolLM2 to first token", from: "load-smollm2", metric: "peak_rss_mb", unit: "MB",
		peers: []peer{{"llama.cpp", 1, 0.9}}},
	{name: "memory-smollm2-decode", work: "peak memory, SmolLM2 decode", from: "smollm2-decode", metric: "peak_rss_mb", unit: "MB",
		peers: []peer{{"llama.cpp", 1, 0.9}}},
	{name: "memory-forward", work: "peak memory, BERT-base forward 1×128", from: "bert-1x128", metric: "peak_rss_mb", unit: "MB",
		peers: []peer{{"onnxruntime", 0.90, 0.80}}},
	{name: "memory-ig", work: "peak memory, integrated gradients", from: "ig-captum", metric: "peak_rss_mb", unit: "MB",
		peers: []peer{{"captum-b10", 0.60, 0.50}}},
	{name: "gemm", work: "matrix product 128×768×3072", kase: "gemm-128x768x3072", args: "--case gemm --shape 128x768x3072",
		peers: []peer{{"onnxruntime", 1, 1}, {"torch-onednn", 1, 1}}, rounds: 2, roundsAlone: 2},
	{name: "streams-gpt2", work: "GPT-2 small, float32", model: "gpt2", args: "--case streams --tokens 64 --new-tokens 32", input: "gpt2-64", alone: true, streams: true, least: 3},
	{name: "streams-smollm2", work: "SmolLM2-135M Q4_1", model: "smollm2-135m", args: "--case streams --tokens 64 --new-tokens 32", input: "smollm2-64", alone: true, streams: true, least: 3},
	{name: "peak-128x768x3072", work: "matrix product 128×768×3072", args: "--case gemm --shape 128x768x3072", alone: true, least: 0.90},
	{name: "peak-128x768x768", work: "matrix product 128×768×768", args: "--case gemm --shape 128x768x768", alone: true, least: 0.90},
	{name: "peak-128x3072x768", work: "matrix product 128×3072×768", args: "--case gemm --shape 128x3072x768", alone: true, least: 0.90},
}

// ours are the arguments of vitrine for a row.
func (s *settings) ours(r row, threads int) []string {
	args := []string{"bench"}
	if r.model != "" {
		args = append(args, filepath.Join(s.ckpt, r.model))
	}
	args = append(args, strings.Fields(r.args)...)
	if r.input != "" {
		args = append(args, "--input", filepath.Join(s.inputs, r.input))
	}
	return append(args, "--threads", strconv.Itoa(threads), "--json")
}

// makeInputs writes the inputs of the peers for the wanted rows into files: ids-BATCHxTOKENS of BERT, pixels-BATCH, MODEL-TOKENS of a
// generator, and gpt2-text-TOKENS, words.
func (s *settings) makeInputs() error {
	const script = `
import sys, os
sys.path.insert(0, sys.argv[1])
import peers
for name in sys.argv[3:]:
    kind, size = name.rsplit("-", 1)
    if kind == "ids":
        x = peers.bert_feed(*map(int, size.split("x")))["input_ids"].astype("<i4")
    elif kind == "pixels":
        x = peers.image(int(size)).astype("<f4")
    elif kind == "gpt2-text":
        import numpy
        words = peers.hf_imports().AutoTokenizer.from_pretrained(peers.path("gpt2"))
        x = numpy.array(words(peers.gpt2_prompt(words, int(size))).input_ids, "<i4")
    else:
        x = peers.token_ids(1, int(size), 49000 if kind == "smollm2" else 50000).astype("<i4")
    x.tofile(os.path.join(sys.argv[2], name))
`
	args := []string{"-c", script, filepath.Dir(s.compare), s.inputs}
	for _, r := range rows {
		if r.input != "" && s.wants(r) && !slices.Contains(args, r.input) {
			args = append(args, r.input)
		}
	}
	out, err := exec.Command(s.python, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("making the inputs: %w: %s", err, out)
	}
	return nil
}

// checkAll compares the first numbers of every case with those of its peers: they agree to 1e-4 of the largest where both
// sides do the same work.
func (s *settings) checkAll() error {
	bad := 0
	for _, r := range rows {
		if r.input == "" || !s.wants(r) || r.name == "ig-adaptive" {
			continue
		}
		var own struct{ Check []float64 }
		if err := command(&own, s.vitrine, append(s.ours(r, 2), "--load-only")...); err != nil {
			return err
		}
		for _, p := range r.peers {
			if p.name == "grad-cam" || p.name == "inseq" || strings.HasPrefix(p.name, "llama.cpp") && r.name != "gpt2-decode" {
				continue // a map without its sign, scaled up to the picture; the first column, its norm; logits of rounded activations
			}
			var other struct{ Extra struct{ Check []float64 } }
			err := command(&other, s.python, filepath.Join(filepath.Dir(s.compare), "peers.py"), "--case", r.kase, "--peer", p.name, "--threads", "2", "--load-only")
			if err != nil {
				return err
			}
			verdict := "equal"
			if !agree(own.Check, other.Extra.Check) {
				verdict = "DIFFERENT"
				bad++
			}
			fmt.Printf("%-14s %-18s %s  ours %.5g  theirs %.5g\n", r.name, p.name, verdict, own.Check, other.Extra.Check)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d results differ", bad)
	}
	return nil
}

func agree(a, b []float64) bool {
	largest, apart := 0.0, 0.0
	for i := range min(len(a), len(b)) {
		largest = max(largest, math.Abs(a[i]), math.Abs(b[i]))
		apart = max(apart, math.Abs(a[i]-b[i]))
	}
	return len(a) == len(b) && len(a) > 0 && apart <= max(1e-4*largest, 1e-4)
}
