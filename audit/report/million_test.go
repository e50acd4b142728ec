package report_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
	"vitrine/audit/report"
	"vitrine/policy"
)

// made is a log of any size that is made up as it is read: entry n is a pure function
// of n, only the hashes are kept. Its decisions are those of the shipped policy.
type made struct {
	signer *audit.Signer
	verify note.Verifier
	policy []byte
	hash   string
	size   int64
	hashes []tlog.Hash
	head   audit.Checkpoint
	signed []byte
	asked  []madeDecision
}

type madeDecision struct {
	code     string
	decision audit.Decision
	model    audit.Model
}

const madeSpace = "01JD0000000000000000000000"

// madeLog makes a log of n entries.
func madeLog(t testing.TB, n int64) *made {
	t.Helper()
	m := &made{size: n}
	var err error
	if m.signer, err = audit.NewSigner(); err == nil {
		m.verify, err = m.signer.Verifier()
	}
	if err != nil {
		t.Fatal(err)
	}
	rules, groups := policy.Default(madeSpace)
	s, err := policy.Compile(1, rules, groups)
	if err != nil {
		t.Fatal(err)
	}
	m.policy, m.hash = s.Bytes(), s.Hash()
	for i, role := range policy.Roles {
		r := policy.Request{Workspace: madeSpace, Subject: policy.Subject{ID: fmt.Sprintf("key:01JD000000000000000000000%d", i), Roles: []string{role}},
			Action: policy.Predict, Object: "model:sentiment-minilm", Context: policy.Context{Purpose: "unspecified", DataClass: "internal", Auth: "api-key"}}
		d := s.Decide(r)
		x := madeDecision{code: "PREDICTION.MADE.OK", model: audit.Model{ID: "sentiment-minilm", Version: "1.0.0", Digest: m.hash},
			decision: audit.Decision{Effect: d.Effect, Reason: d.Reason, PolicyVersion: 1, PolicyHash: m.hash, Rules: d.RuleIDs,
				Asked: audit.Asked{Workspace: madeSpace, Subject: audit.Asker{ID: r.Subject.ID, Roles: r.Subject.Roles}, Action: "predict", Object: r.Object,
					Context: map[string]string{"purpose": "unspecified", "data_class": "internal", "auth": "api-key"}}}}
		if d.Effect == "deny" {
			x.code = "PREDICTION.MADE.DENIED"
		}
		m.asked = append(m.asked, x)
	}
	for i := range n {
		h, err := tlog.StoredHashes(i, m.leaf(i), m)
		if err != nil {
			t.Fatal(err)
		}
		m.hashes = append(m.hashes, h...)
	}
	root, err := tlog.TreeHash(n, m)
	if err != nil {
		t.Fatal(err)
	}
	m.head = audit.Checkpoint{Origin: m.signer.Name(), Size: n, Root: root, Time: m.at(n)}
	if m.signed, err = m.head.Sign(m.signer); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *made) at(n int64) time.Time { return time.UnixMilli(1_760_000_000_000 + 20*n) }

func (m *made) leaf(n int64) []byte {
	x := m.asked[n%int64(len(m.asked))]
	sum := sha256.Sum256(strconv.AppendInt(nil, n, 10))
	hash := hex.EncodeToString(sum[:])
	id := fmt.Sprintf("01JD%022d", n)
	e := audit.Event{Version: 1, Workspace: madeSpace, ID: id, Code: x.code, Time: audit.FormatTime(m.at(n)), Actor: x.decision.Asked.Subject.ID,
		Auth: "api-key", Request: id, Action: "predict", Object: "model:sentiment-minilm", Decision: &x.decision, Model: &x.model,
		Purpose: "unspecified", DataClasses: []string{"internal"}, Codes: map[string]string{"task": "text-classification", "modality": "text"}}
	if x.code == "PREDICTION.MADE.OK" {
		e.Object = "prediction:" + id
		e.Commitments = map[string]string{"input": hash, "output": hash, "subject": hash}
		e.Numbers = map[string]int64{"masked": n % 3, "tokens": 12, "windows": 1}
	}
	leaf, err := e.Canonical()
	if err != nil {
		panic(err) // the sample above is not an event: a programmer's error
	}
	return leaf
}

func (m *made) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = m.hashes[x]
	}
	return out, nil
}

func (m *made) Workspace() string       { return madeSpace }
func (m *made) Signer() note.Signer     { return m.signer }
func (m *made) Verifier() note.Verifier { return m.verify }
func (m *made) VerifierKey() string     { return m.signer.VerifierKey }
func (m *made) Checkpoint(context.Context) (audit.Checkpoint, []byte, error) {
	return m.head, m.signed, nil
}
func (m *made) HeadBefore(context.Context, int64) ([]byte, error) { return nil, nil }
func (m *made) HourlyHeads(context.Context, int64, int64) ([][]byte, error) {
	return [][]byte{m.signed}, nil
}

func (m *made) Range(_ context.Context, first, last int64) iter.Seq2[audit.Leaf, error] {
	return func(yield func(audit.Leaf, error) bool) {
		for i := first; i <= last; i++ {
			if !yield(audit.Leaf{Index: i, Bytes: m.leaf(i)}, nil) {
				return
			}
		}
	}
}

func (m *made) Tile(_ context.Context, path string) ([]byte, error) {
	t, err := audit.ParseTilePath(path)
	if err != nil {
		return nil, err
	}
	return tlog.ReadTileData(t, m)
}

func (m *made) options() report.PackOptions {
	return report.PackOptions{First: 0, Last: m.size - 1, Created: m.at(m.size),
		Policy: func(context.Context, string) ([]byte, error) { return m.policy, nil }}
}

// verifyFile makes this test binary the process that checks a pack, so that its memory
// can be told apart from that of the one who made it.
const verifyFile = "VITRINE_TEST_VERIFY"

func TestMain(t *testing.M) {
	path := os.Getenv(verifyFile)
	if path == "" {
		os.Exit(t.Run())
	}
	opt := report.VerifyOptions{}
	if os.Getenv(verifyFile+"_AGAIN") != "" {
		opt.Redecider = &policy.Redecider{}
	}
	r, err := report.VerifyPack(path, opt)
	if err != nil || r.Verdict != report.Fine {
		fmt.Fprintln(os.Stderr, err, r)
		os.Exit(1)
	}
}

// madeSize is the number of entries of the benchmarks, a million unless
// VITRINE_BENCH_EVENTS says another.
func madeSize(b *testing.B) int64 {
	n, err := strconv.ParseInt(os.Getenv("VITRINE_BENCH_EVENTS"), 10, 64)
	if err != nil {
		return 1_000_000
	}
	return n
}

// BenchmarkMillion makes a pack of a million entries and checks it, integrity alone and
// with every decision made again. Reported: seconds and peak memory of each; run it
// with -benchtime 1x.
func BenchmarkMillion(b *testing.B) {
	n := madeSize(b)
	m := madeLog(b, n)
	path := filepath.Join(b.TempDir(), "pack.zip")
	b.Run("pack", func(b *testing.B) {
		for b.Loop() {
			f, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			w := bufio.NewWriterSize(f, 1<<16)
			if _, err := report.WritePack(b.Context(), w, m, m.options()); err != nil {
				b.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
		b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "entries/s")
	})
	for name, write := range map[string]func(io.Writer) error{
		"jsonl": func(w io.Writer) error {
			_, err := report.WriteJSONL(w, m.Range(b.Context(), 0, n-1), nil)
			return err
		},
		"csv": func(w io.Writer) error {
			_, err := report.WriteCSV(w, m.Range(b.Context(), 0, n-1), nil)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := write(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "entries/s")
		})
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for _, again := range []string{"", "1"} {
		name := "integrity"
		if again != "" {
			name = "decisions"
		}
		b.Run(name, func(b *testing.B) {
			peak := int64(0)
			for b.Loop() {
				cmd := exec.Command(self)
				cmd.Env = append(os.Environ(), verifyFile+"="+path, verifyFile+"_AGAIN="+again)
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %.500s", err, out)
				}
				peak = max(peak, peakMemory(cmd.ProcessState))
				b.ReportMetric(cmd.ProcessState.UserTime().Seconds()+cmd.ProcessState.SystemTime().Seconds(), "cpu-s")
			}
			b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
		})
	}
}
