package explain

import (
	"vitrine/inference"
)

// Letters for shapes: T tokens, D width of the word embedding, L layers, H heads, C channels, P path points.

// Problem is one window (or one picture) with every choice made: what a method works on.
type Problem struct {
	Engine   Engine
	Info     inference.Info
	Example  inference.Example
	Tokens   []inference.Token // per position; empty for images
	Target   inference.Target
	Baseline Baseline
	Params   map[string]any // resolved, see Method.Resolve
	Threads  int
	Seed     uint64
	// Detail asks for the values before they are reduced over width or channels; only comparisons with reference
	// libraries need them.
	Detail bool
}

// Baseline stands for "the input without what it says". Text: IDs (same length as the example's), or Embeddings
// (T*D). Images: Pixels (C*H*W). Name is what the record calls it.
type Baseline struct {
	Name       string
	IDs        []int32
	Embeddings []float32
	Pixels     []float32
}

// Attribution is what a method found on one problem. Values has one entry per token, or H*W (grad-cam: the layer's
// height*width) for images, Shape says which.
type Attribution struct {
	Values         []float64
	Shape          []int
	Detail         []float64 // unreduced values where Problem.Detail asks for them
	Output         float64
	BaselineOutput float64
	Delta          float64
	Gradients      int
	Forwards       int
	Layer          string
	Attention      *inference.Tensor // (L,H,T,T)
	Matrix         []float64         // (T,T), rollout and chefer with Problem.Detail
	Companion      []float64         // gradient-weighted view beside raw attention
	Warnings       []string
}
