package task

// text-generation ranks what could come next, as the last position sees it; longer continuations come from package generate.
func init() {
	register(Task{Name: "text-generation", Modality: "text", Finish: nextToken, Writes: true})
}

func nextToken(c *Context) (*Answer, error) {
	w := c.Windows[len(c.Windows)-1]
	v := w.Shape[len(w.Shape)-1]
	return &Answer{Labels: topWords(c, w.Output[len(w.Output)-v:])}, nil
}
