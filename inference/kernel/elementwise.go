package kernel

func same2(a, b int) {
	if a != b {
		panic("kernel: slices of different length")
	}
}

func same3(a, b, c int) {
	if a != b || a != c {
		panic("kernel: slices of different length")
	}
}

// Add sets dst = a + b. In all functions of this file dst may be a source, and all slices have one length.
func Add(dst, a, b []float32) { same3(len(dst), len(a), len(b)); current.Load().add(dst, a, b) }

// Sub sets dst = a - b.
func Sub(dst, a, b []float32) { same3(len(dst), len(a), len(b)); current.Load().sub(dst, a, b) }

// Mul sets dst = a * b.
func Mul(dst, a, b []float32) { same3(len(dst), len(a), len(b)); current.Load().mul(dst, a, b) }

// Div sets dst = a / b, correctly rounded.
func Div(dst, a, b []float32) { same3(len(dst), len(a), len(b)); current.Load().div(dst, a, b) }

// Scale sets dst = s * a.
func Scale(dst, a []float32, s float32) { same2(len(dst), len(a)); current.Load().scale(dst, a, s) }

// AddScaled sets dst = a + s*b, rounded once.
func AddScaled(dst, a, b []float32, s float32) {
	same3(len(dst), len(a), len(b))
	current.Load().axpy(dst, a, b, s)
}

// MulAdd sets dst = a*b + c, rounded once.
func MulAdd(dst, a, b, c []float32) {
	same3(len(dst), len(a), len(b))
	same2(len(dst), len(c))
	current.Load().fma3(dst, a, b, c)
}

// ReLU sets dst to src where that is not below zero and to 0 elsewhere; NaN stays NaN and -0 stays -0.
func ReLU(dst, src []float32) { same2(len(dst), len(src)); current.Load().relu(dst, src) }

// ReLUGrad sets dst = dy where x > 0 and 0 elsewhere.
func ReLUGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	current.Load().relugrad(dst, dy, x)
}

func addGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func subGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

func mulGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func divGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

func scaleGeneric(dst, a []float32, s float32) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * s
	}
}

func divideGeneric(dst, a []float32, s float32) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] / s
	}
}

func axpyGeneric(dst, a, b []float32, s float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = FMA(s, b[i], a[i])
	}
}

func fma3Generic(dst, a, b, c []float32) {
	a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
	for i := range dst {
		dst[i] = FMA(a[i], b[i], c[i])
	}
}

func reluGeneric(dst, src []float32) {
	src = src[:len(dst)]
	for i, v := range src {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

func reluGradGeneric(dst, dy, x []float32) {
	for i, v := range x {
		if v > 0 {
			dst[i] = dy[i]
		} else {
			dst[i] = 0
		}
	}
}
