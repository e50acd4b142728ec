package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// Log is the log whose checkpoints are cosigned.
type Log interface {
	Checkpoint(ctx context.Context) (audit.Checkpoint, []byte, error)
	Consistency(ctx context.Context, size, old int64) (tlog.TreeProof, error)
	SaveWitnessed(ctx context.Context, signed []byte, by []audit.Cosignature) error
}

// ErrWitness means that a witness did not cosign.
var ErrWitness = errors.New("the witness did not cosign")

const (
	answerLimit = 64 << 10
	askTimeout  = 15 * time.Second
)

// Client asks the witnesses of a trust policy. Its methods may be called from any
// goroutine.
type Client struct {
	Log   Log
	Trust *audit.Trust
	HTTP  *http.Client // nil: one that follows no redirect

	mu   sync.Mutex
	olds map[string]int64 // by address: size that the witness cosigned last
	last string           // text of the checkpoint that the quorum cosigned
}

// Run submits the present checkpoint to every witness that has an address and keeps
// the cosignatures where there is at least one. enough says whether the policy's
// quorum is reached; the error joins what kept single witnesses from cosigning. The
// same checkpoint is not submitted again once the quorum has cosigned it.
func (c *Client) Run(ctx context.Context) (enough bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	head, signed, err := c.Log.Checkpoint(ctx)
	if err != nil {
		return false, err
	}
	if head.Text() == c.last {
		return true, nil
	}
	type answer struct {
		of    audit.TrustedWitness
		lines []byte
		err   error
	}
	ask := 0
	answers := make(chan answer, len(c.Trust.Witnesses))
	for _, w := range c.Trust.Witnesses {
		if w.URL == "" {
			continue
		}
		ask++
		old := c.olds[w.URL]
		go func() {
			lines, err := c.submit(ctx, w, old, head, signed)
			answers <- answer{w, lines, err}
		}()
	}
	var errs []error
	with := signed
	for range ask {
		a := <-answers
		n := 0
		if a.err == nil {
			if with, n = audit.TakeCosignatures(with, a.lines, a.of.Verifier); n == 0 {
				a.err = fmt.Errorf("its answer holds no cosignature that verifies: %w", ErrWitness)
			}
		}
		if a.err != nil {
			errs = append(errs, fmt.Errorf("witness %s: %w", a.of.Name, a.err))
			continue
		}
		c.remember(a.of.URL, head.Size)
	}
	by, enough, err := c.Trust.Witnessed(with)
	if err == nil && len(by) > 0 {
		err = c.Log.SaveWitnessed(ctx, with, by)
	}
	if err == nil && enough && ask > 0 {
		c.last = head.Text()
	}
	return enough && err == nil, errors.Join(append(errs, err)...)
}

func (c *Client) remember(url string, size int64) {
	if c.olds == nil {
		c.olds = map[string]int64{}
	}
	c.olds[url] = size
}

// submit asks one witness; a witness that remembers another size says which, and is
// asked once more.
func (c *Client) submit(ctx context.Context, w audit.TrustedWitness, old int64, head audit.Checkpoint, signed []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for range 2 {
		lines, known, err := c.post(ctx, w.URL, old, head, signed)
		if err == nil || known < 0 {
			return lines, err
		}
		if known > head.Size {
			return nil, fmt.Errorf("it has cosigned %d entries, this log has %d: the log was rolled back or another one signs in its name: %w", known, head.Size, ErrWitness)
		}
		old = known
	}
	return nil, fmt.Errorf("it keeps refusing the old size: %w", ErrWitness)
}

// post sends one request. known is the size that the witness named in a conflict, -1
// where it named none.
func (c *Client) post(ctx context.Context, url string, old int64, head audit.Checkpoint, signed []byte) (lines []byte, known int64, err error) {
	if old > head.Size {
		old = 0
	}
	body := audit.AddCheckpoint{Old: old, Checkpoint: signed}
	if old > 0 {
		if body.Proof, err = c.Log.Consistency(ctx, head.Size, old); err != nil {
			return nil, -1, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/add-checkpoint", bytes.NewReader(body.Marshal()))
	if err != nil {
		return nil, -1, err
	}
	resp, err := c.client().Do(r)
	if err != nil {
		return nil, -1, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	switch {
	case err != nil:
		return nil, -1, err
	case resp.StatusCode == http.StatusOK:
		return answer, -1, nil
	case resp.StatusCode == http.StatusConflict:
		if n, err := strconv.ParseInt(strings.TrimSuffix(string(answer), "\n"), 10, 64); err == nil && n >= 0 && n != old {
			return nil, n, fmt.Errorf("it remembers %d entries: %w", n, ErrWitness)
		}
	}
	return nil, -1, fmt.Errorf("status %d: %w", resp.StatusCode, ErrWitness)
}

func (c *Client) client() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
