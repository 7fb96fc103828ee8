package cpu

import "golang.org/x/sys/cpu"

// supported lists the classes that this processor can run, the best first.
func supported() []Class {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA {
		return []Class{Go}
	}
	if x.HasAVX512F && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512BW && x.HasBMI2 {
		return []Class{AVX512, AVX2, Go}
	}
	return []Class{AVX2, Go}
}
