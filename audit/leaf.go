package audit

// Leaf is an entry of a log as it is carried out: its index and canonical bytes.
type Leaf struct {
	Index int64
	Bytes []byte
}
