//go:build !amd64 || noasm

package kernel

// MultiplyAdds is 0 where no loop for it exists.
func MultiplyAdds(int) int { return 0 }
