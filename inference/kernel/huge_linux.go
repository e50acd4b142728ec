package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// adviseHuge asks for huge pages; whether the system follows changes no result.
func adviseHuge(x []float32) {
	const huge = 2 << 20
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(x)))
	skip := (huge - begin%huge) % huge
	size := uintptr(len(x)) * 4
	if size < skip+huge {
		return
	}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), size)
	_ = unix.Madvise(raw[skip:skip+(size-skip)/huge*huge], unix.MADV_HUGEPAGE)
}
