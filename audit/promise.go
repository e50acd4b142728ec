package audit

// Promise is what a caller gets at once: the log's signed word that the event
// will be included within PromiseDelay. Signature is the signature line of a
// note over PromiseText.
type Promise struct {
	Event     string `json:"event"`
	LeafHash  string `json:"leaf_hash"` // hex
	Log       string `json:"log"`       // origin
	Time      string `json:"time"`
	Status    string `json:"status"` // "pending"
	Signature string `json:"signature"`
	URL       string `json:"url,omitempty"`
}

// Receipt is the promise kept: where the event stands in the log and the proof.
// While Status is "pending" only the promise's fields are set.
type Receipt struct {
	Promise
	Index      int64    `json:"index"`
	Size       int64    `json:"size"`  // size of the tree the proof is in
	Proof      []string `json:"proof"` // base64 hashes, leaf to root
	Checkpoint string   `json:"checkpoint"`
	File       string   `json:"-"` // the same as a c2sp.org/tlog-proof@v1 file
}

// Receipt states.
const (
	Pending  = "pending"
	Included = "included"
)
