package identity

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The codes of RFC 6238 appendix B, their last six digits.
func TestCodesOfTheStandard(t *testing.T) {
	secret := []byte("12345678901234567890")
	for seconds, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := totpCode(secret, seconds/30); got != want {
			t.Errorf("at %d: %s, want %s", seconds, got, want)
		}
	}
	if SecretText(secret) != "GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ" {
		t.Error(SecretText(secret))
	}
	if uri := ProvisioningURI(secret, "Vitrine demo", "Änne"); uri != "otpauth://totp/Vitrine%20demo:%C3%84nne?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Vitrine+demo" {
		t.Error(uri)
	}
}

func enrolled(t *testing.T) (s *Service, c *clock, u User, secret []byte, recovery []string) {
	t.Helper()
	ctx := context.Background()
	s, _, c = newService(t)
	u, secret = addUser(t, s, "Anna", "analyst"), NewSecret()
	if err := s.EnrolFactor(ctx, u.ID, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	if has, err := s.HasFactor(ctx, u.ID); has || err != nil {
		t.Fatal("a factor counts before it was confirmed", err)
	}
	if _, err := s.CheckFactor(ctx, u.ID, secret, codeAt(secret, c.now()), "a"); !errors.Is(err, ErrCode) {
		t.Fatal("a code was taken before the factor was confirmed", err)
	}
	if _, err := s.ConfirmFactor(ctx, u.ID, secret, "000000x"); !errors.Is(err, ErrCode) {
		t.Fatal(err)
	}
	recovery, err := s.ConfirmFactor(ctx, u.ID, secret, " "+codeAt(secret, c.now())[:3]+" "+codeAt(secret, c.now())[3:])
	if err != nil || len(recovery) != recoveryCodes {
		t.Fatal(recovery, err)
	}
	if err := s.EnrolFactor(ctx, u.ID, []byte("other")); !errors.Is(err, ErrExists) {
		t.Fatal("a confirmed factor was replaced without being removed", err)
	}
	return s, c, u, secret, recovery
}

func codeAt(secret []byte, at time.Time) string { return totpCode(secret, at.Unix()/30) }

func TestEachCodeOnce(t *testing.T) {
	ctx := context.Background()
	s, c, u, secret, recovery := enrolled(t)
	if _, err := s.CheckFactor(ctx, u.ID, secret, codeAt(secret, c.now()), "a"); !errors.Is(err, ErrCode) {
		t.Errorf("the confirming code worked again: %v", err)
	}
	c.advance(totpStep)
	// A hundred at once: the step is taken once.
	var took atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if used(s.store.UseStep(ctx, u.ID, c.now().Unix()/30)) == nil {
				took.Add(1)
			}
		})
	}
	wg.Wait()
	if took.Load() != 1 {
		t.Errorf("one step was taken %d times", took.Load())
	}
	c.advance(2 * totpStep)
	for _, off := range []time.Duration{-2 * totpStep, 2 * totpStep} {
		if _, err := s.CheckFactor(ctx, u.ID, secret, codeAt(secret, c.now().Add(off)), "a"); !errors.Is(err, ErrCode) {
			t.Errorf("a code %s away: %v", off, err)
		}
	}
	c.advance(totpStep) // and past the delay
	if kind, err := s.CheckFactor(ctx, u.ID, secret, codeAt(secret, c.now().Add(-totpStep)), "a"); kind != "totp" || err != nil {
		t.Errorf("a clock one step behind: %v", err)
	}
	if kind, err := s.CheckFactor(ctx, u.ID, secret, strings.ToLower(recovery[3]), "a"); kind != "recovery" || err != nil {
		t.Fatal(kind, err)
	}
	if _, err := s.CheckFactor(ctx, u.ID, secret, recovery[3], "a"); !errors.Is(err, ErrCode) {
		t.Errorf("a recovery code worked twice: %v", err)
	}
	if f, err := s.Factor(ctx, u.ID); err != nil || f.Recovery != recoveryCodes-1 {
		t.Error(f.Recovery, err)
	}
	if err := s.RemoveFactor(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CheckFactor(ctx, u.ID, secret, recovery[4], "a"); !errors.Is(err, ErrCode) {
		t.Errorf("a recovery code outlived its factor: %v", err)
	}
}

// A million codes are few: guessing one must be slow.
func TestGuessedCodesAreDelayed(t *testing.T) {
	ctx := context.Background()
	s, c, u, secret, _ := enrolled(t)
	c.advance(totpStep)
	var delay *DelayError
	looked := 0
	for range 1000 {
		_, err := s.CheckFactor(ctx, u.ID, secret, "12345", "10.0.0.1")
		if errors.As(err, &delay) {
			break
		}
		looked++
	}
	if looked > freeTries || delay == nil {
		t.Errorf("%d guesses were looked at", looked)
	}
	if _, err := s.CheckFactor(ctx, u.ID, secret, codeAt(secret, c.now()), "10.0.0.2"); !errors.As(err, &delay) {
		t.Errorf("another address, the right code: %v", err)
	}
}

// A password alone opens nothing where a code is due, and not for long.
func TestPendingIsNoSession(t *testing.T) {
	ctx := context.Background()
	s, c, u, _, _ := enrolled(t)
	token, err := s.OpenPending(ctx, u)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(ctx, token); !errors.Is(err, ErrSession) {
		t.Errorf("a pending sign-in is a session: %v", err)
	}
	if list, err := s.Sessions(ctx, u.ID); len(list) != 0 || err != nil {
		t.Error(list, err)
	}
	if got, _, err := s.Pending(ctx, token); got.ID != u.ID || err != nil {
		t.Error(err)
	}
	open, _, err := s.OpenSession(ctx, u, AuthPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Pending(ctx, open); !errors.Is(err, ErrSession) {
		t.Errorf("a session counts as a pending sign-in: %v", err)
	}
	c.advance(pendingLife + time.Second)
	if _, _, err := s.Pending(ctx, token); !errors.Is(err, ErrSession) {
		t.Errorf("after five minutes: %v", err)
	}
}

func TestProof(t *testing.T) {
	ctx := context.Background()
	s, m, c := newService(t)
	u := addUser(t, s, "Anna", "admin")
	token, caller, err := s.OpenSession(ctx, u, AuthPassword)
	if err != nil || !s.Proven(caller) {
		t.Fatal("just signed in", err)
	}
	c.advance(ProofLife + time.Second)
	if caller, err = s.Session(ctx, token); err != nil || s.Proven(caller) {
		t.Error("half an hour later", err)
	}
	if err := s.Prove(ctx, caller.SessionID); err != nil {
		t.Fatal(err)
	}
	if caller, err = s.Session(ctx, token); err != nil || !s.Proven(caller) {
		t.Error("proved again", err)
	}
	other, _, _ := s.OpenSession(ctx, u, AuthPassword)
	if err := s.SetPassword(ctx, u.ID, goodHash(), caller.SessionID); err != nil || len(m.sessions) != 1 {
		t.Error("a new password leaves the other sessions", err)
	}
	if _, err := s.Session(ctx, other); !errors.Is(err, ErrSession) {
		t.Error(err)
	}
	for _, c := range []Caller{{ID: "key:x", Auth: AuthAPIKey}, {ID: "user:local", Auth: AuthLocal}, {ID: "user:x", SessionID: "x", Auth: AuthDemoLink}} {
		if !s.Proven(c) {
			t.Errorf("%s cannot prove anything", c.Auth)
		}
	}
}
