package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/policy"
	"vitrine/web/app"
)

// client is a program with an API key.
type client struct {
	t   *testing.T
	url string
	key string
	id  string // of the key, "key:…"
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v: %.300s", err, a.body)
	}
}

// problem reads a problem document and checks its form.
func (a answer) problem(t *testing.T) Problem {
	t.Helper()
	var p Problem
	a.into(t, &p)
	if a.header.Get("Content-Type") != "application/problem+json" || p.Status != a.status || p.Detail == "" || p.Code == "" || p.RequestID == "" || strings.Contains(p.Detail, "\n") {
		t.Errorf("not a problem document: %s %s", a.header, a.body)
	}
	return p
}

// call sends body: nil, a string as it is, or a value as JSON.
func (c *client) call(method, path string, body any, headers ...string) answer {
	c.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case []byte:
		r = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	q, err := http.NewRequest(method, c.url+path, r)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		q.Header.Set("Authorization", "Bearer "+c.key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			q.Host = headers[i+1]
		}
		q.Header.Set(headers[i], headers[i+1])
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(q)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, raw}
}

var keys sync.Map // role → app.NewKey

// program is a client with a key of the role; "" is one without a key.
func program(t *testing.T, role string) *client {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	out := &client{t: t, url: c.url}
	if role == "" {
		return out
	}
	k, ok := keys.Load(role)
	if !ok {
		v := visit(t, policy.Admin)
		raw, _ := json.Marshal(obj{"name": "tests of " + role, "roles": []string{role}})
		r, err := http.NewRequest(http.MethodPost, c.url+"/api/v1/keys", bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", c.url)
		res, err := v.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var n app.NewKey
		if err := json.NewDecoder(res.Body).Decode(&n); err != nil || res.StatusCode != http.StatusCreated {
			t.Fatalf("adding a key: status %d %v", res.StatusCode, err)
		}
		k = n
		keys.Store(role, n)
	}
	out.key, out.id = k.(app.NewKey).Key, k.(app.NewKey).ID
	return out
}

// logged waits until the log holds an entry of the kind by this client, and
// fails after the five seconds within which the log promises to include it.
func (c *client) logged(filter string, enough int) app.EventList {
	c.t.Helper()
	admin := program(c.t, policy.Admin)
	var list app.EventList
	for end := time.Now().Add(6 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		a := admin.call(http.MethodGet, "/api/v1/audit/events?limit=200&actor="+c.id+filter, nil)
		if a.status != http.StatusOK {
			c.t.Fatalf("status %d: %s", a.status, a.body)
		}
		a.into(c.t, &list)
		if list.Total >= int64(enough) || time.Now().After(end) {
			return list
		}
	}
}
