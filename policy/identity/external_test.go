package identity

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// A name chosen at the provider never opens somebody else's account.
func TestExternalAccounts(t *testing.T) {
	ctx := context.Background()
	s, _, _ := newService(t)
	root := addUser(t, s, "Root", "admin")
	u, added, err := s.External(ctx, "w1", "https://id", "s1", "root", []string{"analyst"})
	if err != nil || !added || u.ID == root.ID || u.Name != "root 2" {
		t.Fatal(u, added, err)
	}
	again, added, err := s.External(ctx, "w1", "https://id", "s1", "somebody else", []string{"analyst"})
	if err != nil || added || again.ID != u.ID || again.Name != "root 2" {
		t.Fatal(again, added, err)
	}
	other, added, err := s.External(ctx, "w1", "https://other", "s1", "root", []string{"analyst"})
	if err != nil || !added || other.ID == u.ID {
		t.Fatal("the same subject of another issuer is another person", err)
	}
	if _, _, err := s.External(ctx, "w1", "https://id", "s2", "x", nil); !errors.Is(err, ErrNoRole) {
		t.Error(err)
	}
	if _, err := s.Authenticate(ctx, "w1", "root 2", "", "a"); !errors.Is(err, ErrCredentials) {
		t.Error("an account without a password signs in by one", err)
	}
	for sent, want := range map[string]string{"": "guest", "\x00\u200b": "guest", " a/b:c ": "abc", strings.Repeat("x", 100): strings.Repeat("x", 60), "张三": "张三"} {
		if got := displayName(sent); got != want {
			t.Errorf("%q becomes %q", sent, got)
		}
	}
	if err := s.DisableUser(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.External(ctx, "w1", "https://id", "s1", "x", []string{"analyst"}); !errors.Is(err, ErrCredentials) {
		t.Error("a closed account came back through the provider", err)
	}
}
