package family

import (
	"encoding/json"
	"fmt"
)

// Generation is what a checkpoint says of how it continues a text: generation_config.json, and config.json where that has no word.
type Generation struct {
	BOS          *int32    `json:"bos_token_id"`
	EOS          IDs       `json:"eos_token_id"`
	Pad          *int32    `json:"pad_token_id"`
	DecoderStart *int32    `json:"decoder_start_token_id"`
	ForcedBOS    *int32    `json:"forced_bos_token_id"`
	ForcedEOS    IDs       `json:"forced_eos_token_id"`
	BadWords     [][]int32 `json:"bad_words_ids"`
	Beams        int       `json:"num_beams"`
	NoRepeat     int       `json:"no_repeat_ngram_size"`
	MinLength    int       `json:"min_length"`
	MaxLength    int       `json:"max_length"`
	Early        any       `json:"early_stopping"`
	Penalty      *float64  `json:"length_penalty"`
}

// IDs is one id or a list of them.
type IDs []int32

// UnmarshalJSON reads a number, a list or null.
func (l *IDs) UnmarshalJSON(raw []byte) error {
	*l = nil
	if len(raw) > 0 && raw[0] == '[' {
		return json.Unmarshal(raw, (*[]int32)(l))
	}
	var one *int32
	if err := json.Unmarshal(raw, &one); err != nil || one == nil {
		return err
	}
	*l = IDs{*one}
	return nil
}

// ReadGeneration reads a checkpoint's own words; a checkpoint without any gives the zero value.
func ReadGeneration(s Source) (*Generation, error) {
	g := &Generation{}
	if err := decode(s.Config, g); err != nil {
		return nil, err
	}
	if s.FS != nil {
		if _, err := optional(s.FS, "generation_config.json", g); err != nil {
			return nil, err
		}
	}
	if len(g.BadWords) > 1<<12 {
		return nil, fmt.Errorf("family: %w: %d bad words", ErrConfig, len(g.BadWords))
	}
	return g, nil
}
