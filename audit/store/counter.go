package store

import (
	"context"
	"fmt"
	"sort"
	"time"

	"gorm.io/gorm"

	"vitrine/audit"
	"vitrine/web/db"
)

// counterRow is how many included entries a day (UTC) has of one code, model and
// decision. The sequencer counts in the transaction in which it includes, so that the
// counters add up to the size of the log at every moment; Verify counts again. First and
// Last are the smallest and largest index among them: they bound a search by time, however
// the clock may have jumped.
type counterRow struct {
	Workspace string `gorm:"primaryKey;size:64"`
	Day       string `gorm:"primaryKey;size:10"`
	Code      string `gorm:"primaryKey;size:64"`
	Model     string `gorm:"primaryKey;size:96"`
	Effect    string `gorm:"primaryKey;size:8"`
	N         int64  `gorm:"not null"`
	First     int64  `gorm:"not null"`
	Last      int64  `gorm:"not null"`
}

func (counterRow) TableName() string { return "audit_counters" }

func init() {
	db.RegisterMigration(28, "audit counters", func(tx *gorm.DB) error {
		if err := tx.Migrator().CreateTable(&counterRow{}); err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO audit_counters (workspace, day, code, model, effect, n, first, last)
			SELECT workspace, SUBSTR(time, 1, 10), code, model, effect, COUNT(*), MIN(idx), MAX(idx) FROM audit_events WHERE idx IS NOT NULL
			GROUP BY workspace, SUBSTR(time, 1, 10), code, model, effect`).Error
	})
	// Two indexes hold what facets count and what time filters compare, so that ten
	// thousand entries are counted without reading one.
	db.RegisterMigration(29, "audit indexes with what is counted", func(tx *gorm.DB) error {
		return db.Create(tx,
			`DROP INDEX idx_audit_actor`,
			`DROP INDEX idx_audit_time`,
			`CREATE INDEX idx_audit_actor ON audit_events (workspace, actor, idx, code, model, effect)`,
			`CREATE INDEX idx_audit_scan ON audit_events (workspace, idx, time, code, model, effect)`)
	})
}

// tally is what a counter says.
type tally struct{ n, first, last int64 }

func (t tally) add(u tally) tally {
	if t.n == 0 {
		return u
	}
	return tally{t.n + u.n, min(t.first, u.first), max(t.last, u.last)}
}

// counterKey is what is counted apart.
type counterKey struct{ day, code, model, effect string }

func (r *eventRow) counter() counterKey {
	return counterKey{r.Time[:min(10, len(r.Time))], r.Code, r.Model, r.Effect}
}

// count adds included rows, the first of which is entry first, to the counters, in the
// transaction that includes them.
func (l *Log) count(tx *gorm.DB, rows []eventRow, first int64) error {
	sums := map[counterKey]*counterRow{}
	var keys []counterKey // in the order of the entries
	for i := range rows {
		k, n := rows[i].counter(), first+int64(i)
		if sums[k] == nil {
			sums[k] = &counterRow{First: n}
			keys = append(keys, k)
		}
		sums[k].N++
		sums[k].Last = n
	}
	for _, k := range keys {
		c := sums[k]
		// Entries are included in order: what is there has the smaller first and last.
		err := tx.Exec(`INSERT INTO audit_counters (workspace, day, code, model, effect, n, first, last) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (workspace, day, code, model, effect) DO UPDATE SET n = audit_counters.n + excluded.n, last = excluded.last`,
			l.o.Workspace, k.day, k.code, k.model, k.effect, c.N, c.First, c.Last).Error
		if err != nil {
			return fmt.Errorf("audit/store: counting entries: %w", err)
		}
	}
	return nil
}

// within bounds a search by time to the indexes of its days. A day that the counters do not
// have holds no entry.
func (l *Log) within(tx *gorm.DB, q Query) (*gorm.DB, error) {
	days := l.db.Read(tx.Statement.Context).Model(&counterRow{}).Where("workspace = ?", l.o.Workspace)
	if !q.After.IsZero() {
		days = days.Where("day >= ?", audit.FormatTime(q.After)[:10])
	}
	if !q.Before.IsZero() {
		days = days.Where("day <= ?", audit.FormatTime(q.Before)[:10])
	}
	var span struct{ First, Last int64 }
	if err := days.Select("COALESCE(MIN(first), 0) AS first, COALESCE(MAX(last), -1) AS last").Scan(&span).Error; err != nil {
		return nil, fmt.Errorf("audit/store: reading the counters: %w", err)
	}
	return tx.Where("idx >= ? AND idx <= ?", span.First, span.Last), nil
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
			Select("SUBSTR(time, 1, 10) AS day", "code", "model", "effect", "COUNT(*) AS n", "MIN(idx) AS first", "MAX(idx) AS last").Group("SUBSTR(time, 1, 10), code, model, effect").Scan(&late).Error
		if err != nil {
			return err
		}
		for _, r := range late {
			k := counterKey{r.Day, r.Code, r.Model, r.Effect}
			c.counted[k] = c.counted[k].add(tally{r.N, r.First, r.Last})
		}
	}
	for _, r := range rows {
		k := counterKey{r.Day, r.Code, r.Model, r.Effect}
		if got := c.counted[k]; got != (tally{r.N, r.First, r.Last}) {
			c.h.add(CountersDiffer, -1, fmt.Sprintf("the counters say %d entries of %s on %s from %d to %d, the log has %d from %d to %d", r.N, r.Code, r.Day, r.First, r.Last, got.n, got.first, got.last))
			return nil
		}
		delete(c.counted, k)
	}
	for k, t := range c.counted {
		c.h.add(CountersDiffer, -1, fmt.Sprintf("the counters know nothing of %d entries of %s on %s", t.n, k.code, k.day))
		return nil
	}
	return nil
}
