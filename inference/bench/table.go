package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The table stands between these two lines.
const (
	tableBegin = "<!-- figures: written by inference/bench -->"
	tableEnd   = "<!-- end of figures -->"
)

// table is the Markdown of everything measured, in the order of rows.
func (s *settings) table(done []measured) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s. Each row: medians, ours and the peer's processes in turn; ratio = ours ÷ peer of the same round, with its range.\n\n", machine(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	b.WriteString("| work | threads | peer | ours | peer's | ours ÷ peer | at most | aim | |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	var threads []int
	for _, m := range done {
		if !slices.Contains(threads, m.Threads) {
			threads = append(threads, m.Threads)
		}
	}
	slices.Sort(threads)
	slices.Reverse(threads)
	for _, t := range threads {
		for _, r := range rows {
			name := r.name
			if r.from != "" {
				name = r.from
			}
			for _, m := range done {
				if m.Row == name && m.Threads == t && !r.alone {
					r.write(&b, m)
				}
			}
		}
	}
	b.WriteString("\n| eight streams at once | threads | tokens/s | of one stream | times | at least |\n| --- | --- | --- | --- | --- | --- |\n")
	eachAlone(done, threads, true, func(r row, m measured) {
		fmt.Fprintf(&b, "| %s | %d | %.1f | %.1f | %.2f | %.0f |\n", r.work, m.Threads, m.Eight, m.One, m.Eight/m.One, r.least)
	})
	b.WriteString("\n| matrix product | threads | GFLOP/s | peak of fused multiply-adds in the same run | share | at least |\n| --- | --- | --- | --- | --- | --- |\n")
	eachAlone(done, threads, false, func(r row, m measured) {
		fmt.Fprintf(&b, "| %s | %d | %.1f | %.1f | %.1f %% | %.0f %% |\n", strings.TrimPrefix(r.work, "matrix product "), m.Threads, m.GFlops, m.Peak, 100*m.Share, 100*r.least)
	})
	return b.String()
}

// eachAlone visits the measured rows without a peer, in the order of threads and rows: those of streams, or the others.
func eachAlone(done []measured, threads []int, streams bool, visit func(row, measured)) {
	for _, t := range threads {
		for _, r := range rows {
			for _, m := range done {
				if m.Row == r.name && m.Threads == t && r.alone && r.streams == streams {
					visit(r, m)
				}
			}
		}
	}
}

// write adds a row's lines: one a peer, or one for the fastest of a peer's variants.
func (r row) write(b *strings.Builder, m measured) {
	metric, unit, scale := "median_s", "ms", 1e3
	if r.metric != "" {
		metric, unit, scale = r.metric, r.unit, 1
	}
	chosen := r.peers
	if r.best {
		chosen = []peer{slices.MaxFunc(r.peers, func(x, y peer) int {
			return cmp.Compare(m.Peers[x.name][metric].Ratio, m.Peers[y.name][metric].Ratio)
		})}
	}
	work := r.work
	if r.delta && m.Delta != nil {
		work += fmt.Sprintf(" (delta %.1e)", *m.Delta)
	}
	for _, p := range chosen {
		f, ok := m.Peers[p.name][metric]
		if !ok {
			continue
		}
		verdict := fmt.Sprintf("missed by %.0f %%", 100*(f.Ratio/p.most-1))
		if f.Ratio <= p.most {
			verdict = "reached"
		}
		fmt.Fprintf(b, "| %s | %d | %s | %s %s | %s %s | %.2f (%.2f–%.2f) | %.2f | %.2f | %s |\n", work, m.Threads, p.name,
			figure(scale*f.Ours), unit, figure(scale*f.Peer), unit, f.Ratio, f.Min, f.Max, p.most, p.aim, verdict)
	}
}

// figure shows three digits.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// machine names the processor.
func machine() string {
	raw, err := os.ReadFile("/proc/cpuinfo")
	name := runtime.GOARCH
	if err == nil {
		for line := range strings.Lines(string(raw)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d processors", name, runtime.NumCPU())
}

// replaceTable puts the table between the two marks of the file.
func replaceTable(path, table string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(raw), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s: the marks %q and %q are needed around the table", path, tableBegin, tableEnd)
	}
	return os.WriteFile(path, []byte(before+tableBegin+"\n"+table+tableEnd+after), 0o644)
}
