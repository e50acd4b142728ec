// Package privacy finds personal data in text, masks it, and encrypts what is
// stored with one key per data subject.
package privacy

// Finding is one piece of personal data. Start and End count characters (code
// points) of the text; Score is between 0 and 1.
type Finding struct {
	Recogniser string  `json:"recogniser"`
	Start      int     `json:"start"`
	End        int     `json:"end"`
	Score      float64 `json:"score"`
}
