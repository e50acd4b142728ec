package identity

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const goodPassword = "a quiet lake in the morning"

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newService(t *testing.T) (*Service, *memory, *clock) {
	t.Helper()
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).UnixNano())
	m := newMemory()
	return New(m, c.now), m, c
}

// goodHash is the hash of goodPassword, made once: it takes long.
var goodHash = sync.OnceValue(func() string {
	hash, err := New(newMemory(), nil).HashPassword(context.Background(), goodPassword, "")
	if err != nil {
		panic(err)
	}
	return hash
})

func addUser(t *testing.T, s *Service, name string, roles ...string) User {
	t.Helper()
	u, err := s.AddUser(context.Background(), "w1", name, goodHash(), roles)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestSignIn(t *testing.T) {
	ctx := context.Background()
	s, m, clock := newService(t)
	u := addUser(t, s, "Anna", "analyst")
	if !strings.HasPrefix(u.ID, "user:") || !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("%+v", u)
	}
	got, err := s.Authenticate(ctx, "w1", "anna", goodPassword, "127.0.0.1")
	if err != nil || got.ID != u.ID {
		t.Fatal(err)
	}
	token, c, err := s.OpenSession(ctx, got, AuthPassword)
	if err != nil || c.ID != u.ID || c.SessionID == "" || c.Workspace != "w1" {
		t.Fatal(c, err)
	}
	for _, session := range m.sessions {
		if strings.Contains(fmt.Sprint(session), token) {
			t.Error("the token itself is stored")
		}
	}
	if back, err := s.Session(ctx, token); err != nil || back.ID != u.ID {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", token[:42] + "!", token + "a", strings.Repeat("a", 1<<20)} {
		if _, err := s.Session(ctx, bad); !errors.Is(err, ErrSession) {
			t.Errorf("token %.10q: %v", bad, err)
		}
	}
	// Idle for two hours ends it; use keeps it; twelve hours end it anyway.
	for range 7 {
		clock.advance(100 * time.Minute)
		_, err = s.Session(ctx, token)
	}
	if err != nil {
		t.Errorf("in use: %v", err)
	}
	clock.advance(100 * time.Minute)
	if _, err := s.Session(ctx, token); !errors.Is(err, ErrSession) {
		t.Errorf("past the absolute limit: %v", err)
	}
	token, c, _ = s.OpenSession(ctx, got, AuthPassword)
	clock.advance(SessionIdle + time.Second)
	if _, err := s.Session(ctx, token); !errors.Is(err, ErrSession) {
		t.Errorf("idle: %v", err)
	}
	token, c, _ = s.OpenSession(ctx, got, AuthPassword)
	if err := s.CloseSession(ctx, c.SessionID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(ctx, token); !errors.Is(err, ErrSession) {
		t.Errorf("after sign-out: %v", err)
	}
}

func TestRolesAndDisabling(t *testing.T) {
	ctx := context.Background()
	s, _, _ := newService(t)
	admin := addUser(t, s, "Root", "admin")
	u := addUser(t, s, "Anna", "role:analyst", "auditor", "analyst")
	if strings.Join(u.Roles, " ") != "analyst auditor" {
		t.Errorf("roles %v", u.Roles)
	}
	token, _, _ := s.OpenSession(ctx, u, AuthPassword)
	if err := s.SetRoles(ctx, u.ID, []string{"reviewer"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(ctx, token); !errors.Is(err, ErrSession) {
		t.Errorf("a session outlived a change of roles: %v", err)
	}
	u, _ = s.User(ctx, u.ID)
	token, _, _ = s.OpenSession(ctx, u, AuthPassword)
	if err := s.DisableUser(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(ctx, token); !errors.Is(err, ErrSession) {
		t.Errorf("a session outlived its account: %v", err)
	}
	if _, err := s.Authenticate(ctx, "w1", "Anna", goodPassword, "a"); !errors.Is(err, ErrCredentials) {
		t.Errorf("a disabled account signed in: %v", err)
	}
	if err := s.DisableUser(ctx, admin.ID); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("the last administrator: %v", err)
	}
	if err := s.SetRoles(ctx, admin.ID, []string{"analyst"}); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("the last administrator's roles: %v", err)
	}
	for _, roles := range [][]string{nil, {"root"}, {"admin "}, {"user:x"}} {
		if _, err := s.AddUser(ctx, "w1", "x", "", roles); !errors.Is(err, ErrName) {
			t.Errorf("roles %v: %v", roles, err)
		}
	}
	for _, name := range []string{"", " a", "a ", "a\nb", "a:b", strings.Repeat("a", 65), "a\u200bb", "\xff"} {
		if _, err := s.AddUser(ctx, "w1", name, "", []string{"analyst"}); !errors.Is(err, ErrName) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestDelays(t *testing.T) {
	ctx := context.Background()
	s, _, clock := newService(t)
	addUser(t, s, "Anna", "analyst")
	// A thousand guesses at once: only the first few are looked at.
	var looked atomic.Int32
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if _, err := s.Authenticate(ctx, "w1", "Anna", "wrong wrong wrong", "10.0.0.1"); errors.Is(err, ErrCredentials) {
				looked.Add(1)
			}
		})
	}
	wg.Wait()
	if n := looked.Load(); n < 1 || n > freeTries {
		t.Errorf("%d guesses were looked at", n)
	}
	// Also from elsewhere, and with the right password.
	var delay *DelayError
	if _, err := s.Authenticate(ctx, "w1", "ANNA", goodPassword, "10.0.0.2"); !errors.As(err, &delay) || delay.Wait <= 0 {
		t.Errorf("another address: %v", err)
	}
	clock.advance(2 * time.Second)
	if _, err := s.Authenticate(ctx, "w1", "Anna", goodPassword, "10.0.0.2"); err != nil {
		t.Errorf("after waiting: %v", err)
	}
	// One address that tries many names is slowed down too.
	var err error
	for i := range 40 {
		if _, err = s.Authenticate(ctx, "w1", fmt.Sprint("name", i), "wrong wrong wrong", "10.0.0.9"); errors.As(err, &delay) {
			break
		}
	}
	if !errors.As(err, &delay) {
		t.Error("an address may try names without end")
	}
	if strings.Contains(delay.Error(), "10.0.0") {
		t.Error("the error names the address")
	}
}

func TestDelayMemory(t *testing.T) {
	c := &clock{}
	d := newDelays(c.now)
	for range 6 {
		d.begin("a:victim")
	}
	for i := range 3 * maxDelays {
		d.begin(fmt.Sprint("a:", i))
	}
	if len(d.m) > maxDelays {
		t.Errorf("%d entries", len(d.m))
	}
	if err := d.begin("a:victim"); err == nil {
		t.Error("a flood of names made the delay of an account forgotten")
	}
}

// A name that does not exist, a disabled account and one without a password cost
// the same hashing as a wrong password: time tells nothing.
func TestUnknownNameTakesAsLong(t *testing.T) {
	ctx := context.Background()
	s, _, _ := newService(t)
	addUser(t, s, "Anna", "analyst")
	if err := s.DisableUser(ctx, addUser(t, s, "Gone", "analyst").ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddUser(ctx, "w1", "Linked", "", []string{"analyst"}); err != nil {
		t.Fatal(err)
	}
	var work []string
	s.hasher.derive = func(_, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte {
		work = append(work, fmt.Sprint(len(salt), time, memory, threads, keyLen))
		return make([]byte, keyLen)
	}
	for _, name := range []string{"Anna", "Nobody", "Gone", "Linked"} {
		for _, password := range []string{"wrong wrong wrong", "", strings.Repeat("x", 1<<20)} {
			work = nil
			if _, err := s.Authenticate(ctx, "w1", name, password, name+"/"+password[:min(len(password), 3)]); !errors.Is(err, ErrCredentials) {
				t.Errorf("%s: %v", name, err)
			}
			if len(work) != 1 || work[0] != "16 2 19456 1 32" {
				t.Errorf("%s with %.10q: work %v", name, password, work)
			}
		}
	}
}

// A hundred sign-ins at once stay within the memory that four hashers need.
func TestManySignInsMemory(t *testing.T) {
	ctx := context.Background()
	h := NewHasher()
	hash, err := h.Hash(ctx, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				runtime.ReadMemStats(&during)
				most.Store(max(most.Load(), during.HeapAlloc))
			}
		}
	}()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if ok, _, err := h.Verify(ctx, hash, goodPassword); !ok || err != nil {
				t.Error(ok, err)
			}
		})
	}
	wg.Wait()
	close(stop)
	if used := most.Load() - min(most.Load(), before.HeapAlloc); used > 300<<20 {
		t.Errorf("%d MB", used>>20)
	}
}

func TestPasswords(t *testing.T) {
	for _, bad := range []string{"", "short", "fourteen chars", strings.Repeat("a", 40), "abcabcabcabcabcabc", "Password12345678",
		"correct horse battery staple", "qwertyuiopasdfgh", "annaannaannaanna1", "\xff" + goodPassword, strings.Repeat(goodPassword, 100)} {
		if err := CheckPassword(bad, "anna"); !errors.Is(err, ErrPassword) {
			t.Errorf("%.30q: %v", bad, err)
		} else if len(bad) > 3 && strings.Contains(err.Error(), bad) {
			t.Error("the error repeats the password")
		}
	}
	for _, good := range []string{goodPassword, "密码是一句很长的话，谁也猜不到它", "x7#Kq9!vLm2$Zp4"} {
		if err := CheckPassword(good, "anna"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	ctx := context.Background()
	h := NewHasher()
	hash, _ := h.Hash(ctx, "Ein sch\u00f6ner Tag am See")
	if ok, _, _ := h.Verify(ctx, hash, "Ein scho\u0308ner Tag am See"); !ok {
		t.Error("the same password in another Unicode form does not fit")
	}
	if ok, _, _ := h.Verify(ctx, "", ""); ok {
		t.Error("no hash and no password fit")
	}
	if ok, _, _ := h.Verify(ctx, h.dummy, ""); ok {
		t.Error("an empty password fits")
	}
	for _, bad := range []string{"x", "$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=19456,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"} {
		if _, _, err := h.Verify(ctx, bad, "x"); err == nil {
			t.Errorf("hash %q was accepted", bad)
		}
	}
	weak := phc(make([]byte, 16), make([]byte, 32), 1024, 1, 1)
	if p, err := parsePHC(weak); err != nil || p.memory != 1024 {
		t.Error(err)
	}
}

func TestAPIKeys(t *testing.T) {
	ctx := context.Background()
	s, m, clock := newService(t)
	k, secret, err := s.AddKey(ctx, "w1", "ci", []string{"analyst"}, "user:x", clock.now().Add(time.Hour))
	if err != nil || !strings.HasPrefix(secret, k.Prefix+"_") || !strings.HasPrefix(k.ID, "key:") {
		t.Fatal(k, err)
	}
	if strings.Contains(fmt.Sprint(m.keys), secret[len(k.Prefix)+1:]) {
		t.Error("the key itself is stored")
	}
	c, err := s.APIKey(ctx, secret, "a")
	if err != nil || c.ID != k.ID || c.Auth != AuthAPIKey || c.Roles[0] != "analyst" {
		t.Fatal(c, err)
	}
	for _, bad := range []string{"", "vk_", secret[:len(secret)-1], secret + "a", secret[:len(secret)-1] + "!", k.Prefix, strings.ToUpper(secret)} {
		if _, err := s.APIKey(ctx, bad, "b"); !errors.Is(err, ErrSession) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// Guessing from an address does not slow a good key down there.
	wrong := k.Prefix + "_" + newToken()
	for range 50 {
		s.APIKey(ctx, wrong, "a")
	}
	var delay *DelayError
	if _, err := s.APIKey(ctx, wrong, "a"); !errors.As(err, &delay) {
		t.Errorf("guessing keys is not slowed down: %v", err)
	}
	if _, err := s.APIKey(ctx, secret, "a"); err != nil {
		t.Errorf("good key: %v", err)
	}
	clock.advance(time.Hour + time.Second)
	if _, err := s.APIKey(ctx, secret, "a"); !errors.Is(err, ErrSession) {
		t.Errorf("expired: %v", err)
	}
	k, secret, _ = s.AddKey(ctx, "w1", "ci2", []string{"analyst"}, "user:x", time.Time{})
	if err := s.DisableKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.APIKey(ctx, secret, "c"); !errors.Is(err, ErrSession) {
		t.Errorf("disabled: %v", err)
	}
	if err := s.DisableKey(ctx, "key:none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such key: %v", err)
	}
	if _, _, err := s.AddKey(ctx, "w1", "x", []string{"analyst"}, "user:x", clock.now().Add(-time.Hour)); !errors.Is(err, ErrName) {
		t.Errorf("expired from the start: %v", err)
	}
}

func TestSetup(t *testing.T) {
	ctx := context.Background()
	s, _, _ := newService(t)
	first, err := s.SetupToken(ctx)
	if err != nil || len(first) != 43 {
		t.Fatal(first, err)
	}
	token, _ := s.SetupToken(ctx)
	if s.SetupValid(ctx, first) || !s.SetupValid(ctx, token) || s.SetupValid(ctx, "") {
		t.Error("only the last link works")
	}
	hash := goodHash()
	if _, err := s.Setup(ctx, "wrong", "w1", "Root", hash); !errors.Is(err, ErrSetup) {
		t.Errorf("wrong token: %v", err)
	}
	if _, err := s.Setup(ctx, token, "w1", "", hash); !errors.Is(err, ErrName) {
		t.Errorf("no name: %v", err)
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if _, err := s.Setup(ctx, token, "w1", fmt.Sprint("Root", i), hash); err == nil {
				won.Add(1)
			} else if !errors.Is(err, ErrSetup) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d administrators from one link", won.Load())
	}
	if s.SetupValid(ctx, token) {
		t.Error("the link still works")
	}
	if again, err := s.SetupToken(ctx); err != nil || again != "" {
		t.Error("a setup link although an administrator exists")
	}
	late, _, clock := newService(t)
	token, _ = late.SetupToken(ctx)
	clock.advance(setupLife + time.Second)
	if _, err := late.Setup(ctx, token, "w1", "Root", hash); !errors.Is(err, ErrSetup) {
		t.Errorf("after half an hour: %v", err)
	}
}

func TestDemoLinks(t *testing.T) {
	ctx := context.Background()
	s, m, _ := newService(t)
	u := addUser(t, s, "Anna", "analyst")
	token := s.DemoLink(u.ID)
	for range 2 {
		if got, err := s.DemoUser(ctx, token, "a"); err != nil || got.ID != u.ID {
			t.Fatal(err)
		}
	}
	if _, err := s.DemoUser(ctx, "wrong", "a"); !errors.Is(err, ErrCredentials) {
		t.Error(err)
	}
	if _, err := New(m, nil).DemoUser(ctx, token, "a"); !errors.Is(err, ErrCredentials) {
		t.Errorf("the link outlived its process: %v", err)
	}
	s.DisableUser(ctx, u.ID)
	if _, err := s.DemoUser(ctx, token, "a"); !errors.Is(err, ErrCredentials) {
		t.Errorf("a disabled account: %v", err)
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parsePHC(s); err == nil && (p.memory > 64*1024 || p.time > 10) {
			t.Fatal("accepted an unbounded cost")
		}
	})
}
