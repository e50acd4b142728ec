//go:build !linux

package inference

// machineMemory is not known here.
func machineMemory() int64 { return 0 }
