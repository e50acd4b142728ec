package app

import (
	"context"
	"errors"
	"fmt"

	"vitrine/policy/privacy"
)

// The subject whose key commits to what belongs to no person the workspace knows:
// the account that somebody tried to sign in to.
const subjectSignIn = "system:sign-in"

// The subject whose key hides which label a prediction got.
const subjectLabels = "system:labels"

// subject returns the opaque id of the person that a caller names, or of a fresh one
// for "", with the key that everything kept about them hangs on.
func (a *App) subject(ctx context.Context, name string) (id string, key []byte, err error) {
	id = privacy.NewSubject()
	if name != "" {
		if len(name) > 1000 {
			return "", nil, fail(ErrInput, "name the person by a short identifier", "the subject has %d bytes, at most 1000 are taken", len(name))
		}
		if id, err = a.vault.Pseudonym(ctx, a.workspace, name); err != nil {
			return "", nil, fmt.Errorf("app: finding the data subject: %w", err)
		}
	}
	key, err = a.vault.SubjectKey(ctx, a.workspace, id, true)
	if err != nil {
		return "", nil, fmt.Errorf("app: finding the subject's key: %w", err)
	}
	return id, key, nil
}

// subjectKey returns the key of a known subject: ErrInputNotKept once it was erased.
func (a *App) subjectKey(ctx context.Context, id string) ([]byte, error) {
	key, err := a.vault.SubjectKey(ctx, a.workspace, id, false)
	return key, erased(err)
}

// ownKey is the key that commits to what belongs to an actor: reasons, addresses.
func (a *App) ownKey(ctx context.Context, actor string) ([]byte, error) {
	key, err := a.vault.SubjectKey(ctx, a.workspace, actor, true)
	if err != nil {
		return nil, fmt.Errorf("app: finding a key: %w", err)
	}
	return key, nil
}

func erased(err error) error {
	if errors.Is(err, privacy.ErrErased) {
		return fail(ErrInputNotKept, "the entry in the log stays, and proves that there was one", "the data of this person was erased")
	}
	return err
}

// place says where sealed bytes belong: they open nowhere else.
type place struct{ subject, record, field string }

func (a *App) ref(at place) privacy.Ref {
	return privacy.Ref{Workspace: a.workspace, Subject: at.subject, Record: at.record, Field: at.field}
}

func (a *App) seal(ctx context.Context, at place, plain []byte) ([]byte, error) {
	sealed, err := a.vault.Seal(ctx, a.ref(at), plain)
	if err != nil {
		return nil, fmt.Errorf("app: encrypting: %w", err)
	}
	return sealed, nil
}

func (a *App) unseal(ctx context.Context, at place, sealed []byte) ([]byte, error) {
	plain, err := a.vault.Open(ctx, a.ref(at), sealed)
	if err != nil {
		return nil, fmt.Errorf("app: decrypting %s of %s: %w", at.field, at.record, erased(err))
	}
	return plain, nil
}
