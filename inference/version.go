package inference

import "vitrine/inference/kernel"

// engineVersion changes whenever any bit of any result may change.
const engineVersion = "1"

// EngineVersion names the arithmetic; equal versions give equal bits.
func EngineVersion() string { return engineVersion }

// CPULevel is the kernel level in use: "avx512", "avx2", "neon" or "generic"; VITRINE_CPU forces one.
func CPULevel() string { return string(kernel.Current()) }

// CPULevelError says why the level that VITRINE_CPU asks for is not in use, nil where nothing is wrong.
func CPULevelError() error { return kernel.LevelError() }
