// Bench runs `vitrine bench` in turn with other engines on the same weights and inputs, and writes the table of figures.
//
// It needs what the product does not: BENCH_COMPARE names a comparison script, which takes --case, --peer, --ours, --threads,
// --rounds and --json, runs both sides in alternation and prints the ratios; beside it lies peers.py, which knows the peers.
// BENCH_PYTHON and BENCH_CKPT name the interpreter of the peers and the folder of the checkpoints. A row that was measured is
// kept in the file of -out; a second run goes on where the first one stopped.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are the command line and the environment.
type settings struct {
	vitrine, compare, python, ckpt string
	out, readme, inputs            string
	threads                        []int
	only                           []string
	rounds                         int
	budget                         time.Duration
	check                          bool
}

func main() {
	s, err := read(os.Args[1:])
	if err == nil {
		err = run(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func read(args []string) (*settings, error) {
	s := &settings{compare: os.Getenv("BENCH_COMPARE"), python: os.Getenv("BENCH_PYTHON"), ckpt: os.Getenv("BENCH_CKPT")}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&s.vitrine, "vitrine", "bin/vitrine", "the program to measure")
	fs.StringVar(&s.out, "out", "figures.jsonl", "measured rows; those already in it are not measured again")
	fs.StringVar(&s.readme, "readme", "", "file whose table of figures is replaced")
	fs.IntVar(&s.rounds, "rounds", 0, "rounds of every row (default: as the row says)")
	fs.DurationVar(&s.budget, "budget", time.Hour, "start no row after this time")
	fs.BoolVar(&s.check, "check", false, "compare the first numbers of the results instead of times")
	threads := fs.String("threads", "2,1", "thread counts")
	only := fs.String("rows", "", "comma-separated parts of row names (default: all)")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	for _, t := range strings.Split(*threads, ",") {
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-threads %q: numbers separated by commas are needed", *threads)
		}
		s.threads = append(s.threads, n)
	}
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	if s.compare == "" || s.python == "" || s.ckpt == "" {
		return nil, errors.New("BENCH_COMPARE, BENCH_PYTHON and BENCH_CKPT must name the comparison script, the interpreter of the peers and the folder of the checkpoints; " +
			"without peers, `vitrine bench` measures this engine alone")
	}
	var err error
	s.vitrine, err = filepath.Abs(s.vitrine)
	return s, err
}

// measured is one line of the file of -out.
type measured struct {
	Row     string                     `json:"row"`
	Threads int                        `json:"threads"`
	Peers   map[string]map[string]pair `json:"peers,omitempty"`        // peer -> metric -> both figures
	Eight   float64                    `json:"tokens_per_s,omitempty"` // of eight streams, and of one
	One     float64                    `json:"alone_tokens_per_s,omitempty"`
	Share   float64                    `json:"share_of_peak,omitempty"`
	GFlops  float64                    `json:"gflops,omitempty"`
	Peak    float64                    `json:"peak_gflops,omitempty"`
	Delta   *float64                   `json:"delta,omitempty"`
	Level   string                     `json:"cpu_level,omitempty"`
}

// pair is one metric of ours and of a peer: medians, and the ratio of the same round with its range.
type pair struct {
	Ours  float64 `json:"ours"`
	Peer  float64 `json:"peer"`
	Ratio float64 `json:"ratio"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

func run(s *settings) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.inputs = dir
	if err := s.makeInputs(); err != nil {
		return err
	}
	if s.check {
		return s.checkAll()
	}
	done, err := s.load()
	if err != nil {
		return err
	}
	start := time.Now()
	for _, w := range s.order() {
		if slices.ContainsFunc(done, func(m measured) bool { return m.Row == w.name && m.Threads == w.threads }) {
			continue
		}
		if time.Since(start) > s.budget {
			fmt.Fprintf(os.Stderr, "%s, %d threads: left out, the time is over\n", w.name, w.threads)
			continue
		}
		begin := time.Now()
		m, err := s.measure(w.row, w.threads)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s, %d threads: %v\n", w.name, w.threads, err)
			continue
		}
		fmt.Fprintf(os.Stderr, "%s, %d threads: %.0f s\n", w.name, w.threads, time.Since(begin).Seconds())
		done = append(done, *m)
		if err := s.save(*m); err != nil {
			return err
		}
	}
	table := s.table(done)
	fmt.Print(table)
	if s.readme == "" {
		return nil
	}
	return replaceTable(s.readme, table)
}

// work is a row on a number of threads.
type work struct {
	row
	threads int
}

// order lists what is to be measured: rows that take minutes come last.
func (s *settings) order() []work {
	var out []work
	for _, slow := range []bool{false, true} {
		for _, threads := range s.threads {
			for _, r := range rows {
				if r.from == "" && r.slow == slow && s.wants(r) {
					out = append(out, work{r, threads})
				}
			}
		}
	}
	return out
}

func (s *settings) wants(r row) bool {
	return len(s.only) == 0 || slices.ContainsFunc(s.only, func(part string) bool { return strings.Contains(r.name, part) })
}

func (s *settings) load() ([]measured, error) {
	raw, err := os.ReadFile(s.out)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var done []measured
	for line := range bytes.Lines(raw) {
		var m measured
		if err := json.Unmarshal(line, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", s.out, err)
		}
		done = append(done, m)
	}
	return done, nil
}

func (s *settings) save(m measured) error {
	f, err := os.OpenFile(s.out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	return json.NewEncoder(f).Encode(m)
}

// command runs a program and decodes the JSON object on its standard output.
func command(v any, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	raw, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, bytes.TrimSpace(complaint.Bytes()))
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}

// measure runs one row.
func (s *settings) measure(r row, threads int) (*measured, error) {
	m := &measured{Row: r.name, Threads: threads}
	var own struct {
		Share  float64  `json:"share_of_peak"`
		GFlops float64  `json:"gflops"`
		Peak   float64  `json:"peak_gflops"`
		Eight  float64  `json:"tokens_per_s"`
		One    float64  `json:"alone_tokens_per_s"`
		Delta  *float64 `json:"delta"`
		Level  string   `json:"cpu_level"`
	}
	if r.alone || r.delta {
		if err := command(&own, s.vitrine, append(s.ours(r, threads), "--quick")...); err != nil {
			return nil, err
		}
		m.Delta, m.Level = own.Delta, own.Level
	}
	if r.alone {
		if err := command(&own, s.vitrine, s.ours(r, threads)...); err != nil {
			return nil, err
		}
		m.Share, m.GFlops, m.Peak, m.Eight, m.One = own.Share, own.GFlops, own.Peak, own.Eight, own.One
		return m, nil
	}
	rounds := r.rounds
	if threads == 1 {
		rounds = r.roundsAlone
	}
	if s.rounds > 0 {
		rounds = s.rounds
	}
	var names []string
	for _, p := range r.peers {
		names = append(names, p.name)
	}
	if r.slow && threads == 1 {
		names = names[:1] // the harder one
	}
	ours := shellQuote(append([]string{s.vitrine}, s.ours(r, threads)...))
	var got struct {
		Peers map[string]map[string]json.RawMessage `json:"peers"`
	}
	if err := command(&got, s.python, s.compare, "--case", r.kase, "--peer", strings.Join(names, ","), "--threads", strconv.Itoa(threads),
		"--rounds", strconv.Itoa(rounds), "--timeout", "300", "--json", "--ours", ours); err != nil {
		return nil, err
	}
	m.Peers = map[string]map[string]pair{}
	for name, metrics := range got.Peers {
		m.Peers[name] = map[string]pair{}
		for metric, raw := range metrics {
			var p pair
			if json.Unmarshal(raw, &p) == nil && p.Peer > 0 { // the version of a peer is a text
				m.Peers[name][metric] = p
			}
		}
	}
	return m, nil
}

// shellQuote joins words so that a shell's rules split them into the same words again.
func shellQuote(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(out, " ")
}
