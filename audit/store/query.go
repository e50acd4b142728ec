package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"vitrine/audit"
)

// Entry is an event as the log holds it. Index is -1 while Included is false.
type Entry struct {
	Index    int64
	Included bool
	Event    audit.Event
	Leaf     []byte
	Hash     tlog.Hash
	// Damaged: the stored bytes are not a leaf this log can have written. Event
	// then holds what could still be read; Verify says more.
	Damaged bool
}

// MaxPage is the largest page.
const MaxPage = 1000

// Query filters included entries. Zero fields do not filter; slices match any of
// their values.
type Query struct {
	Kinds    []string // a code (PREDICTION.MADE.OK) or its beginning (PREDICTION, PREDICTION.MADE)
	Actor    string
	Model    string
	Object   string
	Decision string // allow or deny
	Request  string
	// Text are words that all stand somewhere in the metadata: ids, codes, names, hashes.
	Text   []string
	After  time.Time // at or after
	Before time.Time // before
	First  *int64    // smallest index
	Last   *int64    // largest index
	// WithoutBestEffort leaves out page views and the like.
	WithoutBestEffort bool

	Ascending bool   // oldest first; the default is newest first
	Cursor    *int64 // continue after this index (Page.Next)
	Limit     int    // 1..MaxPage; 0 means 50
}

// Page is one page of entries. Next continues; nil at the end.
type Page struct {
	Entries []Entry
	Next    *int64
}

const maxWords = 4

var searchable = regexp.MustCompile(`^[A-Za-z0-9._:/@-]{3,96}$`)

var kindPrefix = regexp.MustCompile(`^[A-Z]{2,16}(\.[A-Z]{2,16}){0,2}$`)

// Events returns entries that match, by index. ErrQuery for a malformed filter.
func (l *Log) Events(ctx context.Context, q Query) (Page, error) {
	tx, err := l.filter(l.db.Read(ctx), q)
	if err != nil {
		return Page{}, err
	}
	if q.Limit == 0 {
		q.Limit = 50
	}
	if q.Limit < 1 || q.Limit > MaxPage {
		return Page{}, fmt.Errorf("audit/store: a page has 1 to %d entries: %w", MaxPage, ErrQuery)
	}
	order := "idx DESC"
	if q.Ascending {
		order = "idx"
	}
	if q.Cursor != nil && q.Ascending {
		tx = tx.Where("idx > ?", *q.Cursor)
	} else if q.Cursor != nil {
		tx = tx.Where("idx < ?", *q.Cursor)
	}
	var rows []eventRow
	if err := tx.Select("idx", "leaf").Order(order).Limit(q.Limit + 1).Find(&rows).Error; err != nil {
		return Page{}, fmt.Errorf("audit/store: reading events: %w", err)
	}
	var p Page
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		p.Next = rows[len(rows)-1].Idx
	}
	for _, r := range rows {
		p.Entries = append(p.Entries, entryOf(r))
	}
	return p, nil
}

// filter adds the conditions of q except the cursor.
func (l *Log) filter(tx *gorm.DB, q Query) (*gorm.DB, error) {
	tx, err := l.fields(tx.Model(&eventRow{}).Where("workspace = ? AND idx IS NOT NULL", l.o.Workspace), q)
	if err != nil {
		return nil, err
	}
	for column, value := range map[string]string{"actor": q.Actor, "object": q.Object, "request": q.Request} {
		if value != "" {
			tx = tx.Where(column+" = ?", value)
		}
	}
	if len(q.Text) > maxWords {
		return nil, fmt.Errorf("audit/store: at most %d words are searched for: %w", maxWords, ErrQuery)
	}
	for _, w := range q.Text {
		if !searchable.MatchString(w) {
			return nil, fmt.Errorf("audit/store: a word to search for has 3 to 96 letters, digits, '.', '_', ':', '/', '@' or '-': %w", ErrQuery)
		}
		if tx, err = l.word(tx, w); err != nil {
			return nil, err
		}
	}
	if !q.After.IsZero() {
		tx = tx.Where("time >= ?", audit.FormatTime(q.After))
	}
	if !q.Before.IsZero() {
		tx = tx.Where("time < ?", audit.FormatTime(q.Before))
	}
	if !q.After.IsZero() || !q.Before.IsZero() {
		if tx, err = l.within(tx, q); err != nil {
			return nil, err
		}
	}
	if q.First != nil {
		tx = tx.Where("idx >= ?", *q.First)
	}
	if q.Last != nil {
		tx = tx.Where("idx <= ?", *q.Last)
	}
	return tx, nil
}

// WordWindow is how many of the newest entries are read for a word that no index knows.
const WordWindow = 20_000

// word restricts to entries whose metadata holds a word. An actor, and the 26 characters of
// an identifier with or without its kind, are found by their indexes in the whole log; any
// other word is looked for in the newest WordWindow entries.
func (l *Log) word(tx *gorm.DB, w string) (*gorm.DB, error) {
	kind, id, named := strings.Cut(w, ":")
	if named && (kind == "user" || kind == "key") {
		return tx.Where("actor = ?", w), nil
	}
	if !named {
		id = w
	}
	if len(id) == 26 {
		var objects []string
		for _, k := range []string{kind, "prediction", "explanation", "user", "key", "session", "export", "job", "review", "proposal", "log"} {
			objects = append(objects, k+":"+id)
		}
		// The rows first: a list of them is looked up, a subquery would be asked of every entry.
		ids := []int64{}
		err := l.db.Read(tx.Statement.Context).Raw(`SELECT id FROM audit_events WHERE event_id = ? UNION SELECT id FROM audit_events WHERE workspace = ? AND request = ?
			UNION SELECT id FROM audit_events WHERE workspace = ? AND object IN ? LIMIT ?`, id, l.o.Workspace, id, l.o.Workspace, objects, MaxPage).Scan(&ids).Error
		if err != nil {
			return nil, fmt.Errorf("audit/store: finding an identifier: %w", err)
		}
		return tx.Where("id IN ?", ids), nil
	}
	// A leaf is JSON whose values have no character that LIKE gives a meaning but "_".
	text := "CAST(leaf AS TEXT) LIKE"
	if tx.Name() == "postgres" {
		text = "convert_from(leaf, 'UTF8') ILIKE"
	}
	return tx.Where("idx > (SELECT MAX(idx) FROM audit_events WHERE workspace = ?) - ?", l.o.Workspace, WordWindow).
		Where(text+" ? ESCAPE '!'", "%"+strings.ReplaceAll(w, "_", "!_")+"%"), nil
}

// fields adds the conditions on what entries and counters both hold: code, model and
// decision.
func (l *Log) fields(tx *gorm.DB, q Query) (*gorm.DB, error) {
	if len(q.Kinds) > 32 {
		return nil, fmt.Errorf("audit/store: more than 32 kinds: %w", ErrQuery)
	}
	if len(q.Kinds) > 0 {
		any := l.db.Read(context.Background())
		for i, k := range q.Kinds {
			if !kindPrefix.MatchString(k) {
				return nil, fmt.Errorf("audit/store: a kind is written like PREDICTION or PREDICTION.MADE.OK: %w", ErrQuery)
			}
			// "." and "/" are neighbours, so this is the prefix "K." as a range.
			const match = "(code = ? OR (code >= ? AND code < ?))"
			if i == 0 {
				any = any.Where(match, k, k+".", k+"/")
			} else {
				any = any.Or(match, k, k+".", k+"/")
			}
		}
		tx = tx.Where(any)
	}
	if q.Decision != "" && q.Decision != "allow" && q.Decision != "deny" {
		return nil, fmt.Errorf("audit/store: a decision is allow or deny: %w", ErrQuery)
	}
	for column, value := range map[string]string{"model": q.Model, "effect": q.Decision} {
		if value != "" {
			tx = tx.Where(column+" = ?", value)
		}
	}
	if q.WithoutBestEffort {
		var codes []string
		for _, k := range audit.Kinds() {
			if k.Class == audit.BestEffort {
				codes = append(codes, k.Code)
			}
		}
		tx = tx.Where("code NOT IN ?", codes)
	}
	return tx, nil
}

// Count is how often a value occurs.
type Count struct {
	Value string
	N     int64
}

// Counts is the true size of what a filter matches.
type Counts struct {
	Total       int64
	First, Last int64 // smallest and largest index; -1 when nothing matches
}

// Counts counts what matches q, reading all of it; cursor and limit do not matter. Pages
// use Facets.
func (l *Log) Counts(ctx context.Context, q Query) (c Counts, err error) {
	tx, err := l.filter(l.db.Read(ctx), q)
	if err != nil {
		return c, err
	}
	if err := tx.Select("COUNT(*) AS total, COALESCE(MIN(idx), -1) AS first, COALESCE(MAX(idx), -1) AS last").Scan(&c).Error; err != nil {
		return c, fmt.Errorf("audit/store: counting events: %w", err)
	}
	return c, nil
}

// Event finds an event by its index or its id, included or not.
func (l *Log) Event(ctx context.Context, ref string) (Entry, error) {
	tx := l.db.Read(ctx).Select("idx", "leaf").Where("workspace = ?", l.o.Workspace)
	if n, err := strconv.ParseInt(ref, 10, 64); err == nil && len(ref) < 19 {
		tx = tx.Where("idx = ?", n)
	} else {
		tx = tx.Where("event_id = ?", ref)
	}
	var row eventRow
	err := tx.Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Entry{}, fmt.Errorf("audit/store: event: %w", ErrNotFound)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("audit/store: reading an event: %w", err)
	}
	return entryOf(row), nil
}

func entryOf(r eventRow) Entry {
	e := Entry{Index: -1, Leaf: r.Leaf, Hash: audit.LeafHash(r.Leaf)}
	if r.Idx != nil {
		e.Index, e.Included = *r.Idx, true
	}
	var err error
	if e.Event, err = audit.ParseLeaf(r.Leaf); err != nil {
		e.Damaged = true
		_ = json.Unmarshal(r.Leaf, &e.Event) // what can be shown of it
	}
	return e
}
