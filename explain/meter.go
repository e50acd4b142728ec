package explain

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"vitrine/inference"
)

// meter counts what an explanation spends and keeps the model's measured speed.
type meter struct {
	Engine
	info      inference.Info
	forwards  atomic.Int64
	gradients atomic.Int64
}

func newMeter(e Engine) *meter { return &meter{Engine: e, info: e.Info()} }

func (m *meter) Info() inference.Info { return m.info }

func (m *meter) Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	start := time.Now()
	out, err := m.Engine.Run(ctx, batch, spec)
	if err != nil {
		return nil, err
	}
	units := 0.0
	for _, x := range batch {
		units += load(x)
	}
	gradient := len(spec.Wrt) > 0
	if gradient {
		m.gradients.Add(int64(len(batch) * max(1, len(spec.Targets))))
	} else {
		m.forwards.Add(int64(len(batch)))
	}
	if _, kept := m.Engine.(*shared); !kept { // what was not run says nothing of the speed
		learn(m.info.Digest, gradient, time.Since(start).Seconds()/units)
	}
	return out, nil
}

// load is what an example costs, in units that the speed refers to: tokens of a text, 1 for a picture.
func load(x inference.Example) float64 {
	if x.Pixels != nil {
		return 1
	}
	return float64(max(1, len(x.IDs)))
}

// speed is the measured time of a model: seconds a token (or a picture), moving averages; 0 = never measured.
type speed struct{ forward, gradient float64 }

var speeds = struct {
	sync.Mutex
	of map[string]speed
}{of: map[string]speed{}}

// learn folds one measurement into the model's speed.
func learn(digest string, gradient bool, seconds float64) {
	speeds.Lock()
	defer speeds.Unlock()
	s := speeds.of[digest]
	at := &s.forward
	if gradient {
		at = &s.gradient
	}
	if *at == 0 {
		*at = seconds
	} else {
		*at += 0.25 * (seconds - *at)
	}
	speeds.of[digest] = s
}

// known gives the model's speed. What was never measured is derived: a gradient costs about three forward passes, a
// forward pass two operations a parameter and token at a cautious 5 G operations a second.
func known(info inference.Info) speed {
	speeds.Lock()
	s := speeds.of[info.Digest]
	speeds.Unlock()
	if s.forward == 0 && s.gradient > 0 {
		s.forward = s.gradient / 3
	}
	if s.forward == 0 {
		s.forward = 2 * float64(info.Parameters) / 5e9
		if info.Modality == "image" {
			// a convolution uses each weight once a pixel of its map; a 32nd of the picture is typical over the stages
			s.forward *= float64(max(1, info.ImageHeight*info.ImageWidth/32))
		}
	}
	if s.gradient == 0 {
		s.gradient = 3 * s.forward
	}
	return s
}

// spend turns counts into a Cost for one window of the given number of tokens.
func spend(info inference.Info, tokens, forwards, gradients int) Cost {
	units := float64(max(1, tokens))
	if info.Modality == "image" {
		units = 1
	}
	s := known(info)
	return Cost{forwards, gradients, units * (float64(forwards)*s.forward + float64(gradients)*s.gradient)}
}
