package explain

import "time"

// RecordContext is what the record needs and the explanation cannot know. Ids are opaque; nothing here may name a
// person.
type RecordContext struct {
	Workspace       string
	Prediction      string // id of the prediction that is explained
	Actor           string
	Purpose         string
	ModelName       string
	ModelVersion    string
	PolicyVersion   int64
	PolicyHash      string
	InputCommitment string
	Time            time.Time
	Gate            any // result of the faithfulness gate, nil where no gate ran
}

// Seal fills Record with the canonical record (RFC 8785) and RecordHash with its SHA-256 in hex.
func (e *Explanation) Seal(c RecordContext) error {
	return e.seal(c)
}
