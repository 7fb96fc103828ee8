package sampling_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"wavemill/models/sampling"
)

// TestWrap: a tone gets a whole number of periods, noise the length that is asked for.
func TestWrap(t *testing.T) {
	const length, give, fade = 4000, 300, 400
	tone, noise := make([]float32, 6000), make([]float32, 6000)
	rng := rand.New(rand.NewPCG(3, 3))
	const period = 173.3
	for i := range tone {
		tone[i], noise[i] = float32(math.Sin(2*math.Pi*float64(i)/period)), float32(rng.NormFloat64())
	}
	loop, err := sampling.Wrap(tone, 1, length, give, fade)
	if err != nil {
		t.Fatal(err)
	}
	periods := float64(len(loop)) / period
	if math.Abs(periods-math.Round(periods))*period > 1 || math.Abs(float64(len(loop)-length)) > give {
		t.Errorf("the loop of a tone has %d samples, %.3f periods", len(loop), periods)
	}
	for i, v := range loop {
		next := loop[(i+1)%len(loop)]
		if math.Abs(float64(next-v)) > 1.1*2*math.Pi/period || math.Abs(float64(v)) > 1.01 {
			t.Fatalf("sample %d of %d is %g, the next %g", i, len(loop), v, next)
		}
	}
	if loop, err = sampling.Wrap(noise, 1, length, give, fade); err != nil || len(loop) != length {
		t.Errorf("the loop of noise has %d samples, %v", len(loop), err)
	}
	if _, err := sampling.Wrap(tone, 1, 5900, give, fade); err == nil {
		t.Error("a loop of more than there is")
	}
	// Two channels of the tone, the right one half as loud: the same loop in both.
	both := make([]float32, 0, 2*len(tone))
	for _, v := range tone {
		both = append(both, v, v/2)
	}
	loop, err = sampling.Wrap(tone, 1, length, give, fade)
	if err != nil {
		t.Fatal(err)
	}
	two, err := sampling.Wrap(both, 2, length, give, fade)
	if err != nil || len(two) != 2*len(loop) {
		t.Fatalf("two channels: %d samples, %v; one: %d", len(two), err, len(loop))
	}
	for i, v := range loop {
		if math.Abs(float64(two[2*i]-v)) > 1e-6 || math.Abs(float64(two[2*i+1]-v/2)) > 1e-6 {
			t.Fatalf("frame %d is %v, want %g and its half", i, two[2*i:2*i+2], v)
		}
	}
}
