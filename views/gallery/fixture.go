package gallery

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"time"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/chart"
)

var noon = time.Date(2026, 11, 24, 9, 38, 12, 0, time.UTC)

const (
	digestA = "1a3a2f97f71d42a8970ea0a07d6ff24ffefe7ddac9c46d3d695874634294dd74"
	digestB = "70e83a799d57c4c303a7f19b30d54324d03bc7fde77838cd80c50f2e2de4326d"
)

// Shell is a signed-in analyst's frame.
func Shell(lang, theme string) views.Shell {
	return views.Shell{
		Lang: lang, Theme: theme, URL: "/", User: "lin.wei", Role: "analyst", Workspace: "Film desk", Demo: true,
		Locked:    map[string]bool{"audit": true, "exports": true},
		RequestID: "req_7KQ2M8XW3E", PolicyVersion: 42, LogSize: 12431, LogState: "ok", LogVerified: noon, Version: "0.3.0",
	}
}

func as(s views.Shell, role, nav string) views.Shell {
	s.Role, s.Nav, s.Locked = role, nav, nil
	return s
}

func allowed() policy.Decision {
	return policy.Decision{
		Allow: true, Effect: "allow", Reason: policy.ReasonAllowed, PolicyVersion: 42, PolicyHash: digestB,
		Rule:        &policy.Rule{ID: "r-001", Subject: "role:analyst", Action: policy.Predict, Effect: "allow", Title: "Analysts run registered models"},
		RolePath:    []string{"user:01JD3Q0000000000000000LINW", "role:analyst"},
		Obligations: policy.Obligations{Mask: []string{"email", "phone", "credit-card"}, ExplanationLevel: "full"},
		Request: policy.Request{Action: policy.Predict, Object: "model:sentiment-minilm", Subject: policy.Subject{ID: "user:01JD3Q0000000000000000LINW", Roles: []string{"role:analyst"}},
			Context: policy.Context{Purpose: "quality-review", DataClass: "internal", Auth: "password"}},
	}
}

func denied() policy.Decision {
	d := allowed()
	d.Allow, d.Effect, d.Reason, d.Rule, d.RolePath = false, "deny", policy.ReasonNoRule, nil, nil
	d.Request.Action, d.Request.Object, d.Request.Context.Purpose = policy.AuditRead, "audit:*", "unspecified"
	d.Nearest = &policy.Rule{ID: "r-027", Subject: "role:auditor", Action: policy.AuditRead, Object: "audit:*", Effect: "allow"}
	d.Lacked = []string{"role:auditor"}
	return d
}

func deniedByRule() policy.Decision {
	d := allowed()
	d.Allow, d.Effect, d.Reason = false, "deny", policy.ReasonDenied
	d.Rule = &policy.Rule{ID: "r-901", Subject: "role:analyst", Action: policy.Predict, Effect: "deny", Condition: "purpose in {credit-scoring, recruitment}", Title: "Analysts do not run models for credit scoring or recruitment"}
	d.Request.Context.Purpose = "credit-scoring"
	return d
}

var sentence = []struct {
	text  string
	value float64
}{
	{"[CLS]", 0}, {"The", -0.0382}, {"plot", -0.0267}, {"is", -0.3375}, {"thin", -0.8245}, {",", 0.0885}, {"but", 0.4120}, {"the", 0.0213}, {"acting", 0.1240},
	{"is", 0.0433}, {"wonderful", 1.2495}, {"and", 0.0891}, {"the", -0.0120}, {"music", 0.0712}, {"moved", -0.1240}, {"me", -0.1459}, {".", 0.1307}, {"[SEP]", 0},
}

func tokens(signed bool) chart.Tokens {
	t := chart.Tokens{Signed: signed, Lang: "en"}
	var all []float64
	at := 0
	for _, s := range sentence {
		v := s.value
		if !signed {
			v = math.Abs(v)
		}
		special := s.text[0] == '['
		t.Items = append(t.Items, chart.Token{Text: s.text, Value: v, Special: special, Start: at, End: at + len(s.text)})
		if !special {
			at += len(s.text) + 1
		}
		all = append(all, v)
	}
	t.Limit = chart.Limit(all)
	return t
}

func waterfall(t chart.Tokens) *chart.Waterfall {
	var parts []chart.Part
	for _, it := range t.Items {
		parts = append(parts, chart.Part{Name: it.Text, Value: it.Value})
	}
	w := chart.NewWaterfall(0.3710, 1.0518, parts, 8)
	return &w
}

func attention(layers, heads int) *chart.Attention {
	t := tokens(true)
	n := len(t.Items)
	a := &chart.Attention{L: layers, H: heads, T: n, Tokens: t.Items, Lang: "en", P: make([]float32, layers*heads*n*n)}
	i := 0
	for l := range layers {
		for h := range heads {
			for y := range n {
				row := make([]float64, n)
				var sum float64
				for x := range n {
					row[x] = math.Exp(math.Sin(float64((x+1)*(y+2)*(l+1)+h*7)) * float64(1+(h+l)%5))
					if x == 0 && h%3 == 0 {
						row[x] *= 8
					}
					sum += row[x]
				}
				for x := range n {
					a.P[i] = float32(row[x] / sum)
					i++
				}
			}
		}
	}
	return a
}

// digit is a made-up picture of an 8, 28 by 28.
func digit(x, y int) float64 {
	ring := func(cx, cy, r float64) float64 {
		d := math.Abs(math.Hypot(float64(x)-cx, float64(y)-cy) - r)
		return math.Max(0, 1-d/1.8)
	}
	return math.Min(1, ring(14, 9, 4.5)+ring(14, 19, 5.5))
}

func samplePNG() []byte {
	img := image.NewGray(image.Rect(0, 0, 28, 28))
	for y := range 28 {
		for x := range 28 {
			img.SetGray(x, y, color.Gray{Y: uint8(digit(x, y) * 255)})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic("gallery: the sample picture cannot be encoded")
	}
	return b.Bytes()
}

func heat() chart.Heat {
	h := chart.Heat{W: 28, H: 28, Values: make([]float64, 28*28)}
	for y := range 28 {
		for x := range 28 {
			h.Values[y*28+x] = 0.22*math.Exp(-(math.Pow(float64(x)-15, 2)+math.Pow(float64(y)-20, 2))/60) - 0.01
		}
	}
	return h
}

func p(v float64) *float64 { return &v }

func figures() []views.Figure {
	return []views.Figure{
		{ID: "completeness", Value: 0.0002, Exact: true},
		{ID: "comprehensiveness", Mode: "mask", Value: 0.617, Control: 0.138, Low: 0.538, High: 0.696, P: p(0.005), Higher: true,
			Shares: []float64{.01, .05, .1, .2, .5}, Steps: []float64{.506, .506, .61, .7, .76}},
		{ID: "sufficiency", Mode: "mask", Value: -0.144, Control: 0.4, Low: -0.178, High: -0.11, P: p(0.115),
			Shares: []float64{.01, .05, .1, .2, .5}, Steps: []float64{-.1, -.1, -.15, -.17, -.2}},
	}
}
