package benchmark

import (
	"bufio"
	"context"
	"encoding/binary"
	"os"

	"wavemill/audio"
	"wavemill/audio/npy"
	"wavemill/audio/spectrogram"
	"wavemill/audio/spectrogram/fft"
	"wavemill/audio/spectrogram/signals"
)

// logMel is the front end of the peers' script: torchaudio's MelSpectrogram(8000, 256, hop 64, 64 mels from 20 to 4000
// Hz, Slaney), logarithm of the power.
func logMel() spectrogram.Config {
	return spectrogram.Config{
		SampleRate: 8000, NFFT: 256, Hop: 64, Window: spectrogram.WindowHann, Pad: spectrogram.PadReflect,
		Scale: spectrogram.ScaleMel, Mels: 64, FMin: 20, FMax: 4000,
		Value: spectrogram.ValueLogPower, Floor: 1e-6,
	}
}

// linear is a magnitude spectrogram of redundancy 4.
func linear(rate, nfft int) spectrogram.Config {
	return spectrogram.Config{
		SampleRate: rate, NFFT: nfft, Hop: nfft / 4, Window: spectrogram.WindowHann, Pad: spectrogram.PadReflect,
		Scale: spectrogram.ScaleLinear, Value: spectrogram.ValueMagnitude,
	}
}

// transforms makes one Transform per thread.
func (o Options) transforms(c spectrogram.Config) ([]*spectrogram.Transform, error) {
	list := make([]*spectrogram.Transform, o.Threads)
	for i := range list {
		t, err := spectrogram.New(c)
		if err != nil {
			return nil, err
		}
		list[i] = t
	}
	return list, nil
}

// filesToLogMel reads all recordings and writes one array file of their frames: what convert does. Its plans are part
// of the work.
func filesToLogMel(ctx context.Context, o Options, line *Line) (func() error, error) {
	files, err := o.recordings()
	if err != nil {
		return nil, err
	}
	line.Files = len(files)
	return func() error {
		transforms, err := o.transforms(logMel())
		if err != nil {
			return err
		}
		mels := make([]*spectrogram.Spectrogram, len(files))
		err = o.share(len(files), func(thread, i int) error {
			x, err := mono(ctx, files[i])
			if err != nil {
				return err
			}
			mels[i], err = transforms[thread].Forward(nil, x)
			return err
		})
		if err != nil {
			return err
		}
		f, err := os.CreateTemp("", "wavemill-bench-*.npy")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		return writeFrames(f, mels)
	}, nil
}

// writeFrames writes the frames of all spectrograms as one array.
func writeFrames(f *os.File, mels []*spectrogram.Spectrogram) error {
	frames := 0
	for _, s := range mels {
		frames += s.Frames
	}
	w := bufio.NewWriterSize(f, 1<<18)
	if _, err := w.Write(npy.Header([]int{frames, mels[0].Bins})); err != nil {
		return err
	}
	var buf []byte
	for _, s := range mels {
		var err error
		if buf, err = binary.Append(buf[:0], binary.LittleEndian, s.Data); err != nil {
			return err
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// firstClips are the first n recordings, cut or padded to one second at 8 kHz.
func firstClips(ctx context.Context, o Options, n int) ([][]float32, error) {
	files, err := o.recordings()
	if err != nil {
		return nil, err
	}
	var clips [][]float32
	for _, path := range files[:min(n, len(files))] {
		x, err := mono(ctx, path)
		if err != nil {
			return nil, err
		}
		clip := make([]float32, 8000)
		copy(clip, x)
		clips = append(clips, clip)
	}
	return clips, nil
}

func logMelInMemory(ctx context.Context, o Options, line *Line) (func() error, error) {
	clips, err := firstClips(ctx, o, 200)
	if err != nil {
		return nil, err
	}
	line.Clips = len(clips)
	transforms, err := o.transforms(logMel())
	if err != nil {
		return nil, err
	}
	out := make([]*spectrogram.Spectrogram, len(clips))
	return func() error {
		return o.share(len(clips), func(thread, i int) error {
			var err error
			out[i], err = transforms[thread].Forward(out[i], clips[i])
			return err
		})
	}, nil
}

// reconstructions readies the phase reconstruction of clips from their magnitudes; line gets the mean convergence.
func reconstructions(o Options, line *Line, c spectrogram.Config, clips [][]float32, ph spectrogram.Phase) (func() error, error) {
	transforms, err := o.transforms(c)
	if err != nil {
		return nil, err
	}
	magnitudes := make([]*spectrogram.Spectrogram, len(clips))
	for i, x := range clips {
		if magnitudes[i], err = transforms[0].Forward(nil, x); err != nil {
			return nil, err
		}
		y, err := transforms[0].Reconstruct(magnitudes[i], len(x), ph)
		if err != nil {
			return nil, err
		}
		db, err := transforms[0].Convergence(magnitudes[i], y)
		if err != nil {
			return nil, err
		}
		line.DB += db / float64(len(clips))
	}
	line.Clips = len(clips)
	return func() error {
		return o.share(len(clips), func(thread, i int) error {
			_, err := transforms[thread].Reconstruct(magnitudes[i], len(clips[i]), ph)
			return err
		})
	}, nil
}

// griffinLim is 32 iterations of fast Griffin-Lim from random phase, torchaudio's default method.
func griffinLim(ctx context.Context, o Options, line *Line) (func() error, error) {
	clips, err := firstClips(ctx, o, 16)
	if err != nil {
		return nil, err
	}
	return reconstructions(o, line, linear(8000, 256), clips, spectrogram.Phase{Method: spectrogram.MethodFGLA, Iterations: 32})
}

// refined is phase gradient heap integration and 8 iterations of fast Griffin-Lim.
func refined() spectrogram.Phase {
	return spectrogram.Phase{Method: spectrogram.MethodPGHIFGLA, Iterations: 8}
}

// phaseOfRecordings reconstructs 200 recordings, spread over all, at their own lengths.
func phaseOfRecordings(ctx context.Context, o Options, line *Line) (func() error, error) {
	files, err := o.recordings()
	if err != nil {
		return nil, err
	}
	var clips [][]float32
	step := max(1, len(files)/200)
	for i := 0; i < len(files) && len(clips) < 200; i += step {
		x, err := mono(ctx, files[i])
		if err != nil {
			return nil, err
		}
		clips = append(clips, x)
	}
	return reconstructions(o, line, linear(8000, 256), clips, refined())
}

// phaseOfSignals reconstructs chirps and drums of one second at 44.1 kHz.
func phaseOfSignals(_ context.Context, o Options, line *Line) (func() error, error) {
	var clips [][]float32
	for _, name := range signals.Names() {
		clips = append(clips, signals.Make(name))
	}
	return reconstructions(o, line, linear(signals.Rate, 1024), clips, refined())
}

// realFFT transforms 256 signals of n samples at once.
func realFFT(n int) func(context.Context, Options, *Line) (func() error, error) {
	const batch = 256
	return func(_ context.Context, _ Options, line *Line) (func() error, error) {
		r, err := fft.NewReal(n)
		if err != nil {
			return nil, err
		}
		x := make([]float32, batch*n)
		for i, v := range signals.Noise(len(x), 1) {
			x[i] = float32(v)
		}
		s := make([]complex64, batch*r.Bins())
		line.MS, line.Unit = batch, "one transform, batch of 256"
		return func() error {
			r.Forward(s, x)
			return nil
		}, nil
	}
}

// resampleSeconds is the length of what resample converts.
const resampleSeconds = 60

// resample converts a minute of noise from 44.1 to 16 kHz.
func resample(_ context.Context, _ Options, line *Line) (func() error, error) {
	x := make([]float32, resampleSeconds*44100)
	for i, v := range signals.Noise(len(x), 1) {
		x[i] = float32(0.5 * v)
	}
	clip := audio.Clip{Samples: x, Channels: 1, Rate: 44100}
	line.Unit = "one minute, one channel"
	var resamplers audio.Resamplers // Made in the first run, which is not timed: as in a program that converts many clips.
	return func() error {
		_, err := resamplers.Resample(clip, 16000)
		return err
	}, nil
}
