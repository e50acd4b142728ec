package app

import (
	"context"
	"errors"

	"vitrine/audit"
	"vitrine/policy/identity"
)

// issuer is the name under which authenticator apps list a code.
const issuer = "Vitrine"

// factorPlace is where a user's authenticator secret is sealed.
func factorPlace(userID string) place { return place{userID, userID, "authenticator"} }

// NewFactor is what an authenticator app needs to know, shown once.
type NewFactor struct {
	Secret string // Base32 in groups, to type
	URI    string // otpauth://…, to scan
}

// SignInCode ends what SignIn began with ErrCodeDue: code is the app's, or a recovery
// code. The attempt is recorded either way.
//
// Errors: ErrCode; ErrSlowDown; ErrSession where the password is too long ago.
func (a *App) SignInCode(ctx context.Context, pending, code, address string) (token string, c identity.Caller, err error) {
	u, waiting, err := a.people.Pending(ctx, pending)
	if err != nil {
		return "", c, identityError(err)
	}
	kind, err := a.checkFactor(ctx, u.ID, code, address)
	if errors.Is(err, ErrCode) {
		if err := a.signInFailed(ctx, u.Name, address, identity.AuthFactor, "wrong-code"); err != nil {
			return "", c, err
		}
	}
	if err != nil {
		return "", c, err
	}
	if err := a.people.CloseSession(ctx, waiting.ID); err != nil {
		return "", c, err
	}
	if kind == "recovery" {
		if err := a.logAccount(ctx, u.ID, identity.AuthFactor, "recovery-code-used"); err != nil {
			return "", c, err
		}
	}
	return a.openSession(ctx, u, identity.AuthFactor, address)
}

// checkFactor takes a code of a user's app or a recovery code.
func (a *App) checkFactor(ctx context.Context, userID, code, address string) (kind string, err error) {
	secret, err := a.factorSecret(ctx, userID)
	if err != nil {
		return "", err
	}
	kind, err = a.people.CheckFactor(ctx, userID, secret, code, address)
	return kind, identityError(err)
}

func (a *App) factorSecret(ctx context.Context, userID string) ([]byte, error) {
	f, err := a.people.Factor(ctx, userID)
	if err != nil {
		return nil, identityError(err)
	}
	return a.unseal(ctx, factorPlace(userID), f.Sealed)
}

// logAccount records what somebody did with their own account.
func (a *App) logAccount(ctx context.Context, userID, auth, change string) error {
	_, err := a.log.Append(ctx, audit.Event{Code: "ACCOUNT.CHANGED.OK", Actor: userID, Auth: auth, Object: userID,
		Codes: map[string]string{"change": change}})
	return err
}

// person refuses callers that are no people: keys, and the operator at the machine.
func person(c identity.Caller) error {
	if c.SessionID == "" {
		return fail(ErrConflict, "sign in with the account in a browser", "only people have an account of their own")
	}
	return nil
}

// EnrolFactor makes a new secret for the caller's authenticator app. It counts once
// [App.ConfirmFactor] saw a code of it. Errors: ErrProof; ErrExists.
func (a *App) EnrolFactor(ctx context.Context, c identity.Caller) (*NewFactor, error) {
	if err := a.mustProve(c); err != nil {
		return nil, err
	}
	secret := identity.NewSecret()
	sealed, err := a.seal(ctx, factorPlace(c.ID), secret)
	if err != nil {
		return nil, err
	}
	if err := a.people.EnrolFactor(ctx, c.ID, sealed); err != nil {
		return nil, identityError(err)
	}
	return newFactor(secret, c.Name), nil
}

func newFactor(secret []byte, name string) *NewFactor {
	return &NewFactor{Secret: identity.SecretText(secret), URI: identity.ProvisioningURI(secret, issuer, name)}
}

// WaitingFactor returns the secret that EnrolFactor made and nobody confirmed yet.
// Errors: ErrNotFound; ErrProof; ErrExists once it is confirmed: a secret is not shown again.
func (a *App) WaitingFactor(ctx context.Context, c identity.Caller) (*NewFactor, error) {
	if err := a.mustProve(c); err != nil {
		return nil, err
	}
	f, err := a.people.Factor(ctx, c.ID)
	if err != nil {
		return nil, identityError(err)
	}
	if !f.Confirmed.IsZero() {
		return nil, fail(ErrExists, "remove it first to set up another", "the authenticator app is set up")
	}
	secret, err := a.unseal(ctx, factorPlace(c.ID), f.Sealed)
	if err != nil {
		return nil, err
	}
	return newFactor(secret, c.Name), nil
}

// ConfirmFactor turns the caller's authenticator app on, and returns the recovery codes,
// shown once. Errors: ErrCode; ErrExists; ErrProof.
func (a *App) ConfirmFactor(ctx context.Context, c identity.Caller, code string) (recovery []string, err error) {
	if err := a.mustProve(c); err != nil {
		return nil, err
	}
	secret, err := a.factorSecret(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if recovery, err = a.people.ConfirmFactor(ctx, c.ID, secret, code); err != nil {
			return err
		}
		return a.logAccount(ctx, c.ID, c.Auth, "authenticator-added")
	})
	return recovery, identityError(err)
}

// RemoveFactor takes the caller's authenticator app and recovery codes away.
// Errors: ErrProof.
func (a *App) RemoveFactor(ctx context.Context, c identity.Caller) error {
	if err := a.mustProve(c); err != nil {
		return err
	}
	return identityError(a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.people.RemoveFactor(ctx, c.ID); err != nil {
			return err
		}
		return a.logAccount(ctx, c.ID, c.Auth, "authenticator-removed")
	}))
}
