package task

// feature-extraction gives one vector for a text: the network's own, or the mean over tokens of the last hidden state
// where the network has no pooling.
func init() { register(Task{Name: "feature-extraction", Modality: "text", Finish: extract}) }

func extract(c *Context) (*Answer, error) {
	for i := range c.Windows {
		w := &c.Windows[i]
		if len(w.Shape) != 2 {
			continue
		}
		t, d := w.Shape[0], w.Shape[1]
		mean := make([]float32, d)
		for j := range d {
			sum := 0.0
			for k := range t {
				sum += float64(w.Output[k*d+j])
			}
			mean[j] = float32(sum / float64(t))
		}
		w.Output, w.Shape = mean, []int{d}
	}
	v, err := c.meanOutput()
	return &Answer{Vector: v}, err
}
