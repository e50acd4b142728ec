package metric

// Randomisation is the figure "mprt": the mean over inputs of the similarity between the values of the true model and those of
// a model with random weights, with its bootstrap interval. Lower is better. Similarities of unlike maps scatter around the
// control, 0. It is made once per model version and method, not with every explanation.
func Randomisation(similarities []float64, seed uint64) Figure {
	f := Figure{ID: "mprt", Value: mean(similarities)}
	f.Low, f.High = bootstrap(similarities, NewDraw(seed, "bootstrap mprt"))
	f.Low, f.High = min(f.Low, f.Value), max(f.High, f.Value)
	return f
}
