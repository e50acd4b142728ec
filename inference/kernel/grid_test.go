package kernel

import "testing"

// Every thing is in one piece, no piece is too large or crosses a line, and each thread of several goes on where it was.
func TestCut(t *testing.T) {
	for _, threads := range []int{1, 2, 7, 64} {
		for _, total := range []int{1, 5, 12, 48, 193, 3142} {
			for _, line := range []int{total, 12, 5} {
				for _, size := range [][2]int{{1, 4}, {4, 4}, {12, 96}} {
					seen := make([]int, total)
					for _, p := range cut(threads, total, line, size[0], size[1]) {
						if p.n < 1 || int(p.n) > size[1] || int(p.at)%line+int(p.n) > line {
							t.Fatalf("%d threads, %d things: piece %v", threads, total, p)
						}
						for i := p.at; i < p.at+p.n; i++ {
							seen[i]++
						}
					}
					for i, n := range seen {
						if n != 1 {
							t.Fatalf("%d threads, %d things in lines of %d: number %d is in %d pieces", threads, total, line, i, n)
						}
					}
				}
			}
		}
	}
	two := cut(2, 48, 48, 1, 4)
	if two[0] != (piece{0, 4}) || two[1] != (piece{24, 4}) || two[2] != (piece{4, 4}) || two[len(two)-1].n != 1 {
		t.Errorf("two threads get %v", two)
	}
}
