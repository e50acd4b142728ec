package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// patience is how long a client may take to read what was sent before it counts as gone.
const patience = 15 * time.Second

// events writes a stream of server-sent events. Its first write sends the headers.
type events struct {
	c    *Context
	open bool
}

// send writes one event of a JSON value, or of a word such as [DONE].
func (s *events) send(v any) error {
	raw, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("web: writing an event: %w", err)
		}
		raw = string(b)
	}
	w := http.NewResponseController(s.c.Response().Writer)
	_ = w.SetWriteDeadline(time.Now().Add(patience)) // connections without deadlines have a reader that cannot stall
	if !s.open {
		s.open = true
		h := s.c.Response().Header()
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // proxies hand on what comes
		s.c.Response().WriteHeader(http.StatusOK)
	}
	if _, err := fmt.Fprintf(s.c.Response(), "data: %s\n\n", raw); err != nil {
		return fmt.Errorf("web: the client reads no more: %w", err)
	}
	_ = w.Flush() // a writer that cannot flush does not hold back
	return nil
}

// fail tells a client whose stream has begun; before that, err is answered as any other.
func (s *events) fail(err error) error {
	if !s.open || err == nil {
		return err
	}
	p := problem(err, s.c.RequestID)
	_ = s.send(map[string]any{"error": oaErrorOf(p)})
	return nil
}

// close lets the connection serve further requests.
func (s *events) close() {
	_ = http.NewResponseController(s.c.Response().Writer).SetWriteDeadline(time.Time{})
}
