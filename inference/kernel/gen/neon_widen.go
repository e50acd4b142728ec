package main

// widen writes the exact conversion of n values of 16 bits to float32, n a positive multiple of 16.
func (w *arm) widen() {
	for _, format := range []string{"f16", "bf16"} {
		w.begin("widen_"+format+"_neon", "n int, dst *float32, src *uint16", 24)
		w.op("MOVD n+0(FP), R0")
		w.op("MOVD dst+8(FP), R1")
		w.op("MOVD src+16(FP), R2")
		w.label("loop")
		w.op("VLD1.P 32(R2), [V0.H8, V1.H8]")
		for i := range 2 {
			lower, upper := 2+2*i, 3+2*i
			if format == "f16" {
				w.op("WORD $0x%08x // FCVTL V%d.4S, V%d.4H", 0x0e217800|uint32(i)<<5|uint32(lower), lower, i)
				w.op("WORD $0x%08x // FCVTL2 V%d.4S, V%d.8H", 0x4e217800|uint32(i)<<5|uint32(upper), upper, i)
				continue
			}
			w.op("VUSHLL $0, V%d.H4, V%d.S4", i, lower)
			w.op("VUSHLL2 $0, V%d.H8, V%d.S4", i, upper)
			w.op("VSHL $16, V%d.S4, V%d.S4", lower, lower)
			w.op("VSHL $16, V%d.S4, V%d.S4", upper, upper)
		}
		w.op("VST1.P [V2.S4, V3.S4, V4.S4, V5.S4], 64(R1)")
		w.op("SUB $16, R0")
		w.op("CBNZ R0, loop")
		w.op("RET")
	}
}
