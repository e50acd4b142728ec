package app

import (
	"slices"
	"sync"
	"time"

	"vitrine/policy"
)

// A client that asks again what was refused a moment ago gets the same refusal, of which
// the log holds one entry: programs retry, and a log of retries hides what matters.
const (
	denialLife = time.Minute
	maxDenials = 1024
)

// denials are the refusals of the last minute, oldest first.
type denials struct {
	mu   sync.Mutex
	list []denial
}

type denial struct {
	key     denialKey
	at      time.Time
	receipt ReceiptView
}

// denialKey is what two requests have in common that are the same: who asks, for what,
// under which policy, and the request's own digest.
type denialKey struct{ actor, action, object, policy, once string }

func keyOf(q ask, d policy.Decision) denialKey {
	return denialKey{q.caller.ID, string(q.action), d.Request.Object, d.PolicyHash, q.once}
}

// find is the receipt of the same refusal, if there was one.
func (l *denials) find(k denialKey, now time.Time) (ReceiptView, bool) {
	if k.once == "" {
		return ReceiptView{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(d denial) bool { return now.Sub(d.at) > denialLife })
	for _, d := range l.list {
		if d.key == k {
			return d.receipt, true
		}
	}
	return ReceiptView{}, false
}

func (l *denials) add(k denialKey, now time.Time, r ReceiptView) {
	if k.once == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= maxDenials {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, denial{k, now, r})
}
