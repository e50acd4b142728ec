package identity

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestInvitation(t *testing.T) {
	ctx := context.Background()
	s, _, c := newService(t)
	u, err := s.AddUser(ctx, "w1", "Ben", "", []string{"analyst"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Invite(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Invite(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", first} {
		if _, err := s.Invited(ctx, bad); !errors.Is(err, ErrInvitation) {
			t.Errorf("%.5q: %v", bad, err)
		}
	}
	if got, err := s.Invited(ctx, token); err != nil || got.ID != u.ID {
		t.Fatal(err)
	}
	// Sent twice at once it is taken once.
	var took atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.AcceptInvitation(ctx, token, goodHash()); err == nil {
				took.Add(1)
			} else if !errors.Is(err, ErrInvitation) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took.Load() != 1 {
		t.Errorf("taken %d times", took.Load())
	}
	if _, err := s.Authenticate(ctx, "w1", "Ben", goodPassword, "a"); err != nil {
		t.Error(err)
	}
	late, _ := s.Invite(ctx, u.ID)
	c.advance(InvitationLife + time.Second)
	if _, err := s.AcceptInvitation(ctx, late, goodHash()); !errors.Is(err, ErrInvitation) {
		t.Errorf("after three days: %v", err)
	}
	addUser(t, s, "Root", "admin")
	token, _ = s.Invite(ctx, u.ID)
	if err := s.DisableUser(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AcceptInvitation(ctx, token, goodHash()); !errors.Is(err, ErrInvitation) {
		t.Errorf("a closed account came back by its invitation: %v", err)
	}
	if _, err := s.Invite(ctx, u.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a closed account was invited: %v", err)
	}
}
