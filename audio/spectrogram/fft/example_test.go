package fft_test

import (
	"fmt"
	"log"
	"math"

	"wavemill/audio/spectrogram/fft"
)

func ExampleReal() {
	const n = 64
	r, err := fft.NewReal(n)
	if err != nil {
		log.Fatal(err)
	}
	x := make([]float32, 2*n) // two signals: cosines of 3 and of 5 periods
	for i := range n {
		x[i] = float32(math.Cos(2 * math.Pi * 3 * float64(i) / n))
		x[n+i] = float32(math.Cos(2 * math.Pi * 5 * float64(i) / n))
	}
	s := make([]complex64, 2*r.Bins())
	r.Forward(s, x)
	fmt.Printf("%.1f %.1f\n", real(s[3]), real(s[r.Bins()+5]))
	// Output: 32.0 32.0
}
