package explain

// WordAttribution is the attribution of one word: the sum over its subword tokens, which keeps completeness.
type WordAttribution struct {
	Text  string  `json:"text"`
	Start int     `json:"start"` // characters of the text
	End   int     `json:"end"`
	Pair  bool    `json:"pair,omitempty"` // of the second text
	First int     `json:"first"`          // index of the first token
	Count int     `json:"count"`          // number of tokens
	Value float64 `json:"value"`
}

// Words groups the tokens of a text explanation into words, in reading order; special tokens are left out.
func Words(e *Explanation) []WordAttribution { return words(e) }
