package task

// text2text-generation rewrites a text: an encoder reads it, a decoder writes; here its first word is ranked.
func init() {
	register(Task{Name: "text2text-generation", Modality: "text", Finish: nextToken, Writes: true})
}
