package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"gorm.io/gorm"

	"vitrine/policy"
	"vitrine/web/db"
)

// States of a Proposal, a closed list.
const (
	ProposalOpen      = "open"
	ProposalApproved  = "approved" // waits for its time
	ProposalRejected  = "rejected"
	ProposalWithdrawn = "withdrawn"
	ProposalInForce   = "in-force"
	ProposalStale     = "stale" // the policy or the approver's rights changed before its time
)

// ErrProposalState: the proposal is not in the state that the step needs.
var ErrProposalState = errors.New("policy: the proposal was decided already")

// Proposal is a change that waits for a second person. Its content never changes:
// who edits it makes another.
type Proposal struct {
	ID        string
	Workspace string
	Base      int64
	Hash      string // of the snapshot with version Base+1
	Author    string // opaque subject id
	Reason    string
	Created   time.Time
	Starts    time.Time // not in force before; zero: at once
	State     string
	Decider   string
	Decided   time.Time
}

// proposalRow is a row of policy_proposals. Content is the snapshot's canonical bytes.
type proposalRow struct {
	ID        string `gorm:"primaryKey"`
	Workspace string
	Base      int64
	Hash      string
	Content   []byte
	Author    string
	Reason    string
	Created   int64
	Starts    int64
	State     string
	Decider   string
	Decided   int64
}

func (proposalRow) TableName() string { return "policy_proposals" }

func init() {
	db.RegisterMigration(11, "policy proposals", func(tx *gorm.DB) error {
		return db.Create(tx,
			`CREATE TABLE policy_proposals (
				id VARCHAR(80) PRIMARY KEY, workspace VARCHAR(64) NOT NULL, base BIGINT NOT NULL, hash CHAR(64) NOT NULL, content BLOB NOT NULL,
				author VARCHAR(80) NOT NULL, reason TEXT NOT NULL, created BIGINT NOT NULL, starts BIGINT NOT NULL,
				state VARCHAR(16) NOT NULL, decider VARCHAR(80) NOT NULL, decided BIGINT NOT NULL)`,
			`CREATE INDEX policy_proposals_state ON policy_proposals (workspace, state, id)`,
		)
	})
}

func (r proposalRow) proposal() Proposal {
	return Proposal{ID: r.ID, Workspace: r.Workspace, Base: r.Base, Hash: r.Hash, Author: r.Author, Reason: r.Reason, Created: fromMillis(r.Created),
		Starts: fromMillis(r.Starts), State: r.State, Decider: r.Decider, Decided: fromMillis(r.Decided)}
}

// maxOpen bounds the proposals of one workspace that wait.
const maxOpen = 100

// Propose keeps a change for a second person to decide, not in force before starts.
// Errors as of Change; ErrProposalState when too many wait already.
func (p *Policies) Propose(ctx context.Context, c Change, starts time.Time) (Proposal, error) {
	s, err := c.compile()
	if err != nil {
		return Proposal{}, err
	}
	row := proposalRow{ID: ulid.Make().String(), Workspace: c.Workspace, Base: c.Base, Hash: s.Hash(), Content: s.Bytes(), Author: c.Author, Reason: strings.TrimSpace(c.Reason),
		Created: toMillis(p.now()), Starts: toMillis(starts), State: ProposalOpen}
	err = write(ctx, p.db, func(_ context.Context, tx *gorm.DB) error {
		var n int64
		if err := tx.Model(&proposalRow{}).Where("workspace = ? AND state = ?", c.Workspace, ProposalOpen).Count(&n).Error; err != nil {
			return err
		}
		if n >= maxOpen {
			return fmt.Errorf("%w: %d proposals wait; decide some first", ErrProposalState, n)
		}
		return tx.Create(&row).Error
	})
	if err != nil {
		return Proposal{}, fmt.Errorf("policy: storing a proposal: %w", db.Translate(err))
	}
	return row.proposal(), nil
}

// Proposals lists those in one of the states, newest first, at most 100.
func (p *Policies) Proposals(ctx context.Context, workspace string, states ...string) ([]Proposal, error) {
	var rows []proposalRow
	err := p.db.Read(ctx).Omit("content").Where("workspace = ? AND state IN ?", workspace, states).Order("id DESC").Limit(maxOpen).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("policy: listing proposals: %w", db.Translate(err))
	}
	out := make([]Proposal, len(rows))
	for i, r := range rows {
		out[i] = r.proposal()
	}
	return out, nil
}

// Proposal returns one with the policy that it proposes. ErrNotFound.
func (p *Policies) Proposal(ctx context.Context, workspace, id string) (Proposal, *policy.Snapshot, error) {
	var row proposalRow
	err := p.db.Read(ctx).Where("workspace = ? AND id = ?", workspace, id).Limit(1).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Proposal{}, nil, ErrNotFound
	}
	if err != nil {
		return Proposal{}, nil, fmt.Errorf("policy: reading a proposal: %w", db.Translate(err))
	}
	s, err := policy.Parse(row.Content)
	if err == nil && (s.Hash() != row.Hash || s.Workspace() != workspace || s.Version() != row.Base+1) {
		err = fmt.Errorf("%w: proposal %s is not what its row says", ErrNoPolicy, id)
	}
	return row.proposal(), s, err
}

// Move takes a proposal from one state to another; decider "" keeps who decided.
// ErrProposalState when it is in another state by now.
func (p *Policies) Move(ctx context.Context, workspace, id, from, to, decider string) error {
	set := map[string]any{"state": to}
	if decider != "" {
		set["decider"], set["decided"] = decider, toMillis(p.now())
	}
	return write(ctx, p.db, func(_ context.Context, tx *gorm.DB) error {
		r := tx.Model(&proposalRow{}).Where("workspace = ? AND id = ? AND state = ?", workspace, id, from).Updates(set)
		if r.Error != nil {
			return fmt.Errorf("policy: deciding a proposal: %w", db.Translate(r.Error))
		}
		if r.RowsAffected == 0 {
			return ErrProposalState
		}
		return nil
	})
}
