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

// Add sets dst = a + b. Slices may be the same; all have one length.
func Add(dst, a, b []float32) { same3(len(dst), len(a), len(b)); current.Load().add(dst, a, b) }

// Sub sets dst = a - b.
func Sub(dst, a, b []float32) {
	same3(len(dst), len(a), len(b))
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

// Mul sets dst = a * b.
func Mul(dst, a, b []float32) { same3(len(dst), len(a), len(b)); current.Load().mul(dst, a, b) }

// Div sets dst = a / b, correctly rounded.
func Div(dst, a, b []float32) {
	same3(len(dst), len(a), len(b))
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

// Scale sets dst = s * a.
func Scale(dst, a []float32, s float32) { same2(len(dst), len(a)); current.Load().scale(dst, a, s) }

// AddScaled sets dst = a + s*b, rounded once.
func AddScaled(dst, a, b []float32, s float32) {
	same3(len(dst), len(a), len(b))
	current.Load().fma(dst, a, b, s)
}

func addGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func mulGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func scaleGeneric(dst, a []float32, s float32) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * s
	}
}

func fmaGeneric(dst, a, b []float32, s float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = FMA(s, b[i], a[i])
	}
}

// reluGeneric keeps what is greater than zero and NaN; -0 becomes +0.
func reluGeneric(dst, src []float32) {
	src = src[:len(dst)]
	for i, v := range src {
		if v <= 0 {
			v = 0
		}
		dst[i] = v
	}
}

// ReLU sets dst = max(src, 0); NaN stays NaN.
func ReLU(dst, src []float32) { same2(len(dst), len(src)); current.Load().relu(dst, src) }

// ReLUGrad sets dst = dy where x > 0 and 0 elsewhere.
func ReLUGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	for i, v := range x {
		if v > 0 {
			dst[i] = dy[i]
		} else {
			dst[i] = 0
		}
	}
}

// fma3Generic sets dst = a*b + dst, rounded once.
func fma3Generic(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = FMA(a[i], b[i], dst[i])
	}
}
