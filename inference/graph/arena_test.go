package graph

import "testing"

// TestArenaClasses: a class holds what asks for it, wastes at most an eighth and is asked for by its own size.
func TestArenaClasses(t *testing.T) {
	for n := 1; n < 1<<30; n += 1 + n/7 {
		index, size := class(n)
		if size < n || n > 4096 && size-n > n/8 {
			t.Errorf("%d values get %d", n, size)
		}
		if index < 0 || index >= len(arenas) {
			t.Fatalf("class %d", index)
		}
		if i, s := class(size); i != index || s != size {
			t.Errorf("size %d of class %d is class %d of size %d", size, index, i, s)
		}
		if i, _ := class(size + 1); i == index {
			t.Errorf("%d and %d share class %d", size, size+1, i)
		}
	}
}
