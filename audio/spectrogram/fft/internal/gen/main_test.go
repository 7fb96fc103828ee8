package main

import (
	"bytes"
	"os"
	"testing"
)

// TestKernelsAreUpToDate fails where the checked-in assembly is not what the generator writes.
func TestKernelsAreUpToDate(t *testing.T) {
	have, err := os.ReadFile("../../kernels_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, generate()) {
		t.Error("kernels_amd64.s is stale: run go generate in audio/spectrogram/fft")
	}
}
