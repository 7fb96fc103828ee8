package spectrogram_test

import (
	"bytes"
	"fmt"
	"image/png"
	"log"
	"math"

	"wavemill/audio/spectrogram"
)

// tone is one second of a rising tone at 8 kHz.
func tone() []float32 {
	x := make([]float32, 8000)
	for i := range x {
		t := float64(i) / 8000
		x[i] = float32(0.5 * math.Sin(2*math.Pi*(440*t+220*t*t)))
	}
	return x
}

func ExampleTransform_Forward() {
	t, err := spectrogram.New(spectrogram.Default(8000)) // log-mel, scaled to [-1, 1]
	if err != nil {
		log.Fatal(err)
	}
	s, err := t.Forward(nil, tone())
	if err != nil {
		log.Fatal(err)
	}
	loudest := 0
	for m, v := range s.Data[:s.Bins] {
		if v > s.Data[loudest] {
			loudest = m
		}
	}
	fmt.Printf("%d frames of %d mels; the first frame is loudest at mel %d\n", s.Frames, s.Bins, loudest)
	// Output: 63 frames of 64 mels; the first frame is loudest at mel 11
}

func ExampleTransform_Reconstruct() {
	x := tone()
	t, err := spectrogram.New(spectrogram.Default(8000))
	if err != nil {
		log.Fatal(err)
	}
	s, err := t.Forward(nil, x)
	if err != nil {
		log.Fatal(err)
	}
	y, err := t.Reconstruct(s, len(x), spectrogram.Phase{Seed: 1}) // from mels alone: the phase is a guess
	if err != nil {
		log.Fatal(err)
	}
	db, err := t.Convergence(s, y)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d samples, mel values off by less than -25 dB: %t\n", len(y), db < -25)
	// Output: 8000 samples, mel values off by less than -25 dB: true
}

func ExampleTransform_ISTFT() {
	x := tone()
	t, err := spectrogram.New(spectrogram.Config{
		SampleRate: 8000, NFFT: 256, Hop: 64, Window: spectrogram.WindowHann,
		Scale: spectrogram.ScaleLinear, Value: spectrogram.ValueMagnitude,
	})
	if err != nil {
		log.Fatal(err)
	}
	s := t.STFT(nil, x) // complex: nothing is lost
	var worst float64
	for i, v := range t.ISTFT(nil, s, len(x)) {
		worst = math.Max(worst, math.Abs(float64(v-x[i])))
	}
	fmt.Println(len(s)/129, "frames; back within 1e-5:", worst < 1e-5)
	// Output: 126 frames; back within 1e-5: true
}

func ExampleWritePNG() {
	t, err := spectrogram.New(spectrogram.Default(8000))
	if err != nil {
		log.Fatal(err)
	}
	s, err := t.Forward(nil, tone())
	if err != nil {
		log.Fatal(err)
	}
	var b bytes.Buffer
	if err := spectrogram.WritePNG(&b, s, spectrogram.PictureOptions{Title: "a rising tone", Width: 400, Height: 256}); err != nil {
		log.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.Bounds().Size())
	// Output: (570,354)
}
