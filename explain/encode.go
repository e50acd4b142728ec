package explain

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"vitrine/inference"
)

// packed is a tensor in JSON: its shape and its float32 values, little-endian, in base64.
type packed struct {
	Shape []int  `json:"shape"`
	Data  string `json:"data"`
}

// plain has the fields of an Explanation and none of its methods.
type plain Explanation

// shown is an explanation as the API shows it: attributions are one number per token, or nested rows for images.
type shown struct {
	*plain
	Attributions json.RawMessage `json:"attributions"`
	Attention    *packed         `json:"attention,omitempty"`
	ImageHeight  int             `json:"image_height,omitempty"`
	ImageWidth   int             `json:"image_width,omitempty"`
}

// MarshalJSON writes everything that pages and the API need to show the explanation again; what identifies the
// model and the record is kept beside it by the caller.
func (e Explanation) MarshalJSON() ([]byte, error) {
	var values any = e.Attributions
	if e.Map != nil {
		values = e.Rows()
	} else if e.Attributions == nil {
		values = []float64{}
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("explain: writing the explanation: %w", err)
	}
	s := shown{plain: (*plain)(&e), Attributions: raw, ImageHeight: e.ImageHeight, ImageWidth: e.ImageWidth}
	if a := e.Attention; a != nil {
		data := make([]byte, 4*len(a.Data))
		for i, v := range a.Data {
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
		}
		s.Attention = &packed{a.Shape, base64.StdEncoding.EncodeToString(data)}
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads what MarshalJSON wrote, bit for bit.
func (e *Explanation) UnmarshalJSON(raw []byte) error {
	s := shown{plain: (*plain)(e)}
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("explain: reading an explanation: %w", err)
	}
	e.ImageHeight, e.ImageWidth = s.ImageHeight, s.ImageWidth
	e.Attributions, e.Map, e.Attention = nil, nil, nil
	if s.ImageHeight > 0 {
		var rows [][]float32
		if err := json.Unmarshal(s.Attributions, &rows); err != nil {
			return fmt.Errorf("explain: reading an explanation: %w", err)
		}
		if len(rows) == 0 || len(rows[0]) == 0 {
			return fmt.Errorf("explain: reading an explanation: an empty map: %w", ErrNumber)
		}
		e.Map = &inference.Tensor{Shape: []int{len(rows), len(rows[0])}}
		for _, r := range rows {
			if len(r) != len(rows[0]) {
				return fmt.Errorf("explain: reading an explanation: rows of %d and %d values: %w", len(r), len(rows[0]), ErrNumber)
			}
			e.Map.Data = append(e.Map.Data, r...)
		}
	} else if err := json.Unmarshal(s.Attributions, &e.Attributions); err != nil {
		return fmt.Errorf("explain: reading an explanation: %w", err)
	}
	if s.Attention == nil {
		return nil
	}
	return e.unpackAttention(*s.Attention)
}

func (e *Explanation) unpackAttention(p packed) error {
	data, err := base64.StdEncoding.DecodeString(p.Data)
	if err != nil {
		return fmt.Errorf("explain: reading an explanation: %w", err)
	}
	n := 1
	for _, d := range p.Shape {
		if d <= 0 || n > len(data)/d {
			return fmt.Errorf("explain: reading an explanation: attention of shape %v: %w", p.Shape, ErrNumber)
		}
		n *= d
	}
	if len(p.Shape) != 4 || 4*n != len(data) {
		return fmt.Errorf("explain: reading an explanation: attention of shape %v: %w", p.Shape, ErrNumber)
	}
	a := &inference.Tensor{Shape: p.Shape, Data: make([]float32, n)}
	for i := range a.Data {
		a.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	e.Attention = a
	return nil
}
