package policy

import (
	"strconv"
	"strings"
	"sync"
)

// cacheSize is the number of decisions one generation of a snapshot's cache
// holds; two generations are kept.
const cacheSize = 1024

// cache remembers decisions of one snapshot. A snapshot never changes, so an
// entry never goes stale; when the young generation is full it becomes the old
// one. The zero value is ready.
type cache struct {
	mu         sync.Mutex
	young, old map[string]Decision
}

func (c *cache) get(key string) (Decision, bool) {
	if key == "" {
		return Decision{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.young[key]; ok {
		return d, true
	}
	d, ok := c.old[key]
	if ok {
		c.young[key] = d
	}
	return d, ok
}

func (c *cache) put(key string, d Decision) {
	if key == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || len(c.young) >= cacheSize {
		c.old, c.young = c.young, make(map[string]Decision)
	}
	c.young[key] = d
}

// cacheKey writes every field of the request, each with its length in front, so
// that no two requests share a key. Oversized requests are not cached.
func cacheKey(r Request) string {
	const limit = 2048
	var b strings.Builder
	field := func(s string) {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	size := len(r.Workspace) + len(r.Subject.ID) + len(r.Action) + len(r.Object) +
		len(r.Context.Purpose) + len(r.Context.DataClass) + len(r.Context.Method) + len(r.Context.Auth)
	for _, role := range r.Subject.Roles {
		size += len(role)
	}
	if size > limit || len(r.Subject.Roles) > maxList {
		return ""
	}
	b.Grow(size + 64)
	for _, s := range []string{r.Workspace, r.Subject.ID, string(r.Action), r.Object,
		r.Context.Purpose, r.Context.DataClass, r.Context.Method, r.Context.Auth} {
		field(s)
	}
	for _, role := range r.Subject.Roles {
		field(role)
	}
	return b.String()
}
