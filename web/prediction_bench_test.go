package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/policy"
	"vitrine/web/app"
)

// trivial is a model of a few thousand weights: what is left is the road around it.
const trivial = "../inference/conformance/testdata/golden/family/bert-sequence"

// BenchmarkPredictions measures audited predictions through POST /api/v1/predictions over
// loopback, with an API key, on a data folder on this disk: decision, detection,
// commitment, signed promise. 64 clients in this process ask as fast as they are
// answered, so that the load generator shares the processors. Reported: predictions a
// second, the 99th percentile, what one fsync of the disk takes, and how long after the
// last answer everything is in the signed log.
func BenchmarkPredictions(b *testing.B) {
	ctx := context.Background()
	dir := b.TempDir()
	a, err := app.New(ctx, app.Config{Data: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close(ctx)
	folder := b.TempDir()
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"} {
		data, err := os.ReadFile(filepath.Join(trivial, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), data, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := a.AddModel(ctx, a.Local(), folder, "trivial", ""); err != nil {
		b.Fatal(err)
	}
	key, err := a.AddKey(ctx, a.Local(), "load", []string{policy.Analyst}, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := New(Config{App: a})
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	const clients = 64
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	body, _ := json.Marshal(obj{"model": "trivial", "text": "a b c"})
	var left atomic.Int64
	left.Store(int64(b.N))
	times := make([][]time.Duration, clients)
	var all sync.WaitGroup
	b.ResetTimer()
	for c := range clients {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				at := time.Now()
				if err := ask(transport, srv.URL, key.Key, body); err != nil {
					b.Error(err)
					return
				}
				times[c] = append(times[c], time.Since(at))
			}
		})
	}
	all.Wait()
	took := b.Elapsed()
	b.StopTimer()
	at := time.Now()
	if err := a.Settle(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(at).Microseconds())/1000, "lag-ms")
	if b.Failed() {
		return
	}
	list := slices.Concat(times...)
	slices.Sort(list)
	b.ReportMetric(float64(b.N)/took.Seconds(), "predictions/s")
	b.ReportMetric(float64(list[len(list)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(fsync(b, dir).Microseconds())/1000, "fsync-ms")
	b.ReportMetric(float64(runtime.GOMAXPROCS(0)), "cores")
}

// ask makes one prediction.
func ask(t http.RoundTripper, url, key string, body []byte) error {
	r, err := http.NewRequest(http.MethodPost, url+"/api/v1/predictions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+key)
	res, err := t.RoundTrip(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusCreated {
		err = &http.ProtocolError{ErrorString: string(said)}
	}
	return err
}

// fsync is the median time of bringing 4 KiB to the disk of a folder.
func fsync(b *testing.B, dir string) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var times []time.Duration
	for range 50 {
		at := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(at))
	}
	slices.Sort(times)
	return times[len(times)/2]
}
