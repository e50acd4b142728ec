package task

// translation says a text in another language: an encoder reads it, a decoder writes; here its first word is ranked.
func init() { register(Task{Name: "translation", Modality: "text", Finish: nextToken, Writes: true}) }
