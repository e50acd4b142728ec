package task

// text-classification scores the classes of a whole text: softmax, or sigmoid where classes are independent.
func init() { register(Task{Name: "text-classification", Modality: "text", Finish: classify}) }

func classify(c *Context) (*Answer, error) {
	logits, err := c.meanOutput()
	if err != nil {
		return nil, err
	}
	labels, err := rank(c.Labels, logits, c.MultiLabel)
	return &Answer{Labels: labels}, err
}
