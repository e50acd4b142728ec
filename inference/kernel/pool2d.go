package kernel

// Pool is the geometry of a pooling over channels-last images: x (N,H,W,C), y (N,OutH,OutW,C).
type Pool struct {
	N, H, W, C                           int
	KH, KW, StrideH, StrideW             int
	PadTop, PadLeft, PadBottom, PadRight int
	Ceil                                 bool // round the output size up, as PyTorch's ceil_mode
	CountPad                             bool // AvgPool2D divides by the whole window, padding included
}

// MaxPool2D takes the largest element of each window; of equal ones the first in row-major order; NaN wins. index, if not nil, receives the position h*W+w of each maximum.
func MaxPool2D(threads int, p Pool, x, y []float32, index []int32) { panic("kernel: not yet") }

// MaxPool2DBackward sends each dy to the position in index; dx is overwritten.
func MaxPool2DBackward(threads int, p Pool, dy []float32, index []int32, dx []float32) {
	panic("kernel: not yet")
}

// AvgPool2D takes the mean of each window.
func AvgPool2D(threads int, p Pool, x, y []float32) { panic("kernel: not yet") }

// AvgPool2DBackward spreads dy evenly over its window; dx is overwritten.
func AvgPool2DBackward(threads int, p Pool, dy, dx []float32) { panic("kernel: not yet") }

// GlobalAvgPool sets y (n,c) to the mean over the hw positions of x (n,hw,c).
func GlobalAvgPool(threads, n, hw, c int, x, y []float32) { panic("kernel: not yet") }

// GlobalAvgPoolBackward sets dx (n,hw,c) = dy (n,c) / hw.
func GlobalAvgPoolBackward(threads, n, hw, c int, dy, dx []float32) { panic("kernel: not yet") }
