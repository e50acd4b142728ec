package task

// summarization shortens a text: an encoder reads it, a decoder writes; here its first word is ranked.
func init() { register(Task{Name: "summarization", Modality: "text", Finish: nextToken, Writes: true}) }
