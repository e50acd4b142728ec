package app

import (
	"encoding/json"
	"time"
)

// EventView is one entry of the audit log.
type EventView struct {
	Index    int64           `json:"index"`
	ID       string          `json:"id"`
	Code     string          `json:"code"`
	Time     time.Time       `json:"time"`
	Actor    string          `json:"actor"`
	Action   string          `json:"action"`
	Object   string          `json:"object"`
	Model    ModelRef        `json:"model,omitzero"`
	Purpose  string          `json:"purpose,omitempty"`
	Effect   string          `json:"effect,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	RuleIDs  []string        `json:"rule_ids,omitempty"`
	Policy   int64           `json:"policy_version,omitempty"`
	LeafHash string          `json:"leaf_hash"`
	Leaf     json.RawMessage `json:"leaf"` // canonical bytes
}

// CountView is how often a value occurs in a filtered list.
type CountView struct {
	Value string `json:"value"`
	N     int64  `json:"n"`
}

// EventList is one part of the log, newest first.
type EventList struct {
	Items []EventView `json:"items"`
	Next  string      `json:"next,omitempty"`
	Total int64       `json:"total"` // of the whole filtered list
	// More: only the newest 10,000 entries that match were counted, there are more.
	More bool  `json:"more,omitempty"`
	Size int64 `json:"size"` // entries in the log
	// Facets of the entries counted; models at most 20.
	Kinds     []CountView `json:"kinds"`
	Decisions []CountView `json:"decisions"`
	Models    []CountView `json:"models"`
}

// ProofStep is one hash of an inclusion proof: the sibling at Level, to the left or
// right, and the parent it gives.
type ProofStep struct {
	Level   int    `json:"level"`
	Left    bool   `json:"left"` // the sibling stands left
	Sibling string `json:"sibling"`
	Parent  string `json:"parent"`
}

// EventDetail is one entry with its proof.
type EventDetail struct {
	EventView
	Previous   *int64      `json:"previous,omitempty"`
	Next       *int64      `json:"next,omitempty"`
	Steps      []ProofStep `json:"steps"`
	Root       string      `json:"root"`     // the checkpoint's
	Computed   string      `json:"computed"` // recomputed from leaf and proof
	Included   bool        `json:"included"`
	TreeSize   int64       `json:"tree_size"`
	Checkpoint string      `json:"checkpoint"`
	Proof      string      `json:"proof"` // c2sp.org/tlog-proof@v1
}

// HealthView is the outcome of checking the whole log.
type HealthView struct {
	OK       bool      `json:"ok"`
	Size     int64     `json:"size"`
	Pending  int64     `json:"pending"`
	Root     string    `json:"root"`
	Signed   time.Time `json:"signed"`  // time of the last checkpoint
	Checked  time.Time `json:"checked"` // time of this check
	FirstBad *int64    `json:"first_bad,omitempty"`
	Problem  string    `json:"problem,omitempty"`
	Key      string    `json:"key"` // fingerprint of the log key
	Origin   string    `json:"origin"`
	// The last external anchor: the witnesses that last cosigned a root log that holds
	// this log's head ("" = none), the entries it covers, and when.
	Anchor     string     `json:"anchor"`
	AnchorSize int64      `json:"anchor_size,omitempty"`
	AnchorTime *time.Time `json:"anchor_time,omitempty"`
	Roots      string     `json:"root_log"` // origin of the root log
}

// ExportView is one export, finished or under way.
type ExportView struct {
	ID       string     `json:"id"`
	Format   string     `json:"format"`
	Status   string     `json:"status"` // queued, running, done, failed, cancelled
	Done     int64      `json:"done"`
	Total    int64      `json:"total"`
	Bytes    int64      `json:"bytes"`
	SHA256   string     `json:"sha256,omitempty"`
	FileName string     `json:"file_name"`
	Created  time.Time  `json:"created"`
	Finished *time.Time `json:"finished,omitempty"`
	Actor    string     `json:"actor"`
	Error    string     `json:"error,omitempty"`
	Job      bool       `json:"job"` // runs in the background
	From     int64      `json:"from"`
	To       int64      `json:"to"`
}
