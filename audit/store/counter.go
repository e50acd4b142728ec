package store

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"gorm.io/gorm"

	"vitrine/audit"
	"vitrine/web/db"
)

// counterRow is how many included entries a day (UTC) has of one code, model and
// decision. The sequencer counts in the transaction in which it includes, so that the
// counters add up to the size of the log at every moment; Verify counts again.
type counterRow struct {
	Workspace string `gorm:"primaryKey;size:64"`
	Day       string `gorm:"primaryKey;size:10"`
	Code      string `gorm:"primaryKey;size:64"`
	Model     string `gorm:"primaryKey;size:96"`
	Effect    string `gorm:"primaryKey;size:8"`
	N         int64  `gorm:"not null"`
}

func (counterRow) TableName() string { return "audit_counters" }

func init() {
	db.RegisterMigration(28, "audit counters", func(tx *gorm.DB) error {
		if err := tx.Migrator().CreateTable(&counterRow{}); err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO audit_counters (workspace, day, code, model, effect, n)
			SELECT workspace, SUBSTR(time, 1, 10), code, model, effect, COUNT(*) FROM audit_events WHERE idx IS NOT NULL
			GROUP BY workspace, SUBSTR(time, 1, 10), code, model, effect`).Error
	})
}

// counterKey is what is counted apart.
type counterKey struct{ day, code, model, effect string }

func (r *eventRow) counter() counterKey {
	return counterKey{r.Time[:min(10, len(r.Time))], r.Code, r.Model, r.Effect}
}

// count adds included rows to the counters, in the transaction that includes them.
func (l *Log) count(tx *gorm.DB, rows []eventRow) error {
	sums := map[counterKey]int64{}
	for i := range rows {
		sums[rows[i].counter()]++
	}
	keys := make([]counterKey, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	// One order for everybody, so that two databases hold the same bytes.
	slices.SortFunc(keys, func(x, y counterKey) int {
		return strings.Compare(x.day+" "+x.code+" "+x.model+" "+x.effect, y.day+" "+y.code+" "+y.model+" "+y.effect)
	})
	for _, k := range keys {
		err := tx.Exec(`INSERT INTO audit_counters (workspace, day, code, model, effect, n) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (workspace, day, code, model, effect) DO UPDATE SET n = audit_counters.n + excluded.n`,
			l.o.Workspace, k.day, k.code, k.model, k.effect, sums[k]).Error
		if err != nil {
			return fmt.Errorf("audit/store: counting entries: %w", err)
		}
	}
	return nil
}

// Most is the largest number that is counted for a filter which the counters do not know.
const Most = 10_000

// Facets are the numbers behind a filter for a page of a log of any size. Where More is
// set, only the newest Most entries that match were counted: there are more.
type Facets struct {
	Total     int64
	More      bool
	Kinds     []Count // by code
	Decisions []Count // allow, deny, "" for events without a decision
	Models    []Count // most frequent first
}

// Facets counts what matches q: filters on code, model, decision and time by the
// counters, exact whatever the size but for days that the time cuts, any other filter up
// to Most.
func (l *Log) Facets(ctx context.Context, q Query) (f Facets, err error) {
	if q.Actor+q.Object+q.Request != "" || len(q.Text) > 0 || q.First != nil || q.Last != nil {
		return f, l.bounded(ctx, q, &f)
	}
	first, last := q.After, q.Before
	if day := q.After.UTC().Truncate(24 * time.Hour); !q.After.IsZero() && !day.Equal(q.After) {
		first = day.Add(24 * time.Hour)
	}
	if !q.Before.IsZero() {
		last = q.Before.UTC().Truncate(24 * time.Hour)
	}
	if !first.IsZero() && !last.IsZero() && last.Before(first) {
		return f, l.bounded(ctx, q, &f) // within one day
	}
	whole, head, tail := q, q, q
	whole.After, whole.Before, head.Before, tail.After = first, last, first, last
	if err = l.counted(ctx, whole, &f); err == nil && !first.Equal(q.After) {
		err = l.bounded(ctx, head, &f)
	}
	if err == nil && !last.Equal(q.Before) {
		err = l.bounded(ctx, tail, &f)
	}
	return f, err
}

// counted reads the counters.
func (l *Log) counted(ctx context.Context, q Query, f *Facets) (err error) {
	tx := l.db.Read(ctx).Model(&counterRow{}).Where("workspace = ?", l.o.Workspace)
	tx, err = l.fields(tx, q)
	if err != nil {
		return err
	}
	if !q.After.IsZero() {
		tx = tx.Where("day >= ?", audit.FormatTime(q.After)[:10])
	}
	if !q.Before.IsZero() {
		tx = tx.Where("day < ?", audit.FormatTime(q.Before)[:10])
	}
	var rows []counterRow
	if err := tx.Select("code", "model", "effect", "SUM(n) AS n").Group("code, model, effect").Scan(&rows).Error; err != nil {
		return fmt.Errorf("audit/store: reading the counters: %w", err)
	}
	f.sum(rows)
	return nil
}

// bounded counts the newest entries that match, at most Most.
func (l *Log) bounded(ctx context.Context, q Query, f *Facets) error {
	tx, err := l.filter(l.db.Read(ctx), q)
	if err != nil {
		return err
	}
	newest := tx.Select("code", "model", "effect").Order("idx DESC").Limit(Most + 1)
	var rows []counterRow
	err = l.db.Read(ctx).Table("(?) AS newest", newest).Select("code", "model", "effect", "COUNT(*) AS n").Group("code, model, effect").Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("audit/store: counting entries: %w", err)
	}
	n := f.sum(rows)
	if n > Most {
		f.Total, f.More = f.Total-n+Most, true
	}
	return nil
}

// sum adds rows to each field, and returns how many entries they are.
func (f *Facets) sum(rows []counterRow) (n int64) {
	kinds, decisions, models := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, x := range []struct {
		list []Count
		to   map[string]int64
	}{{f.Kinds, kinds}, {f.Decisions, decisions}, {f.Models, models}} {
		for _, c := range x.list {
			x.to[c.Value] = c.N
		}
	}
	for _, r := range rows {
		n += r.N
		kinds[r.Code] += r.N
		decisions[r.Effect] += r.N
		models[r.Model] += r.N
	}
	f.Total += n
	f.Kinds, f.Decisions, f.Models = ranked(kinds, 200), ranked(decisions, 3), ranked(models, 200)
	return n
}

// ranked lists values, most frequent first, at most n.
func ranked(m map[string]int64, n int) []Count {
	var out []Count
	for v, k := range m {
		out = append(out, Count{v, k})
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].N != out[j].N {
			return out[i].N > out[j].N
		}
		return out[i].Value < out[j].Value
	})
	return out[:min(len(out), n)]
}

// recount compares the counters with the entries that Verify read, by the same snapshot of
// the counters; entries included since then are counted by themselves.
func (c *checker) recount() error {
	l := c.log
	var rows []counterRow
	if err := l.db.Read(c.ctx).Where("workspace = ?", l.o.Workspace).Find(&rows).Error; err != nil {
		return err
	}
	sum := int64(0)
	for _, r := range rows {
		sum += r.N
	}
	if sum > c.size {
		var late []counterRow
		err := l.db.Read(c.ctx).Model(&eventRow{}).Where("workspace = ? AND idx >= ? AND idx < ?", l.o.Workspace, c.size, sum).
			Select("SUBSTR(time, 1, 10) AS day", "code", "model", "effect", "COUNT(*) AS n").Group("SUBSTR(time, 1, 10), code, model, effect").Scan(&late).Error
		if err != nil {
			return err
		}
		for _, r := range late {
			c.counted[counterKey{r.Day, r.Code, r.Model, r.Effect}] += r.N
		}
	}
	for _, r := range rows {
		k := counterKey{r.Day, r.Code, r.Model, r.Effect}
		if c.counted[k] != r.N {
			c.h.add(CountersDiffer, -1, fmt.Sprintf("the counters say %d entries of %s on %s, the log has %d", r.N, r.Code, r.Day, c.counted[k]))
			return nil
		}
		delete(c.counted, k)
	}
	for k, n := range c.counted {
		c.h.add(CountersDiffer, -1, fmt.Sprintf("the counters know nothing of %d entries of %s on %s", n, k.code, k.day))
		return nil
	}
	return nil
}
