package architectures_test

import (
	"encoding/json"
	"slices"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/internal/allocation"
	"wavemill/models"
	"wavemill/models/architectures"
)

// FuzzOpen opens checkpoints of every architecture whose configuration, front end and first weights are anything: a file of a
// few kilobytes must not make a network of gigabytes.
func FuzzOpen(f *testing.F) {
	fe := models.FrontEnd{Spectrogram: spectrogram.Default(8000), Frames: 16}
	fe.Spectrogram.Mels = 16
	text, err := json.Marshal(fe)
	if err != nil {
		f.Fatal(err)
	}
	names := architectures.Names()
	for a := range names {
		f.Add(uint8(a), []byte(`{"channels":2}`), text, 2, -1)
		f.Add(uint8(a), []byte(`{"vae":{"channels":2,"latent":4}}`), text, 2, -1)
	}
	for i, config := range []string{`{"channels":2,"latent":4}`, `{"channels":256,"latent":1024}`, `{"encoders":16,"decoders":16}`, `{"prior":"flow","flow":{"width":4096}}`} {
		for a := range names {
			f.Add(uint8(a), []byte(config), text, 2+i, 0)
		}
	}
	f.Add(uint8(0), []byte("{}"), []byte(`{"frames":65536,"spectrogram":{"sample_rate":8000,"n_fft":65536,"hop":1,"window":"hann","scale":"linear","value":"log"}}`), 50, 1)
	f.Fuzz(func(t *testing.T, arch uint8, config, front []byte, labels, drop int) {
		if labels < 0 || labels > 1000 || !json.Valid(config) {
			return
		}
		c := models.Checkpoint{Format: models.Format, Arch: names[int(arch)%len(names)], Config: config, Labels: make([]string, labels)}
		for i := range c.Labels {
			c.Labels[i] = string(rune('a' + i))
		}
		if json.Unmarshal(front, &c.FrontEnd) != nil {
			return
		}
		small := fits(c)
		if small {
			// The weights are those that the configuration asks for, or all but one of them.
			if l, err := architectures.NewLearner(c.Arch, c.Config, c.FrontEnd, c.Labels, 1); err == nil {
				if made, err := l.Checkpoint(); err == nil && len(made.Tensors) > 0 {
					c.Tensors = made.Tensors
					if drop >= 0 {
						n := drop % len(made.Tensors)
						c.Tensors = slices.Delete(made.Tensors, n, n+1)
					}
				}
			}
		}
		size := len(config) + len(front) + 8*labels
		for _, tensor := range c.Tensors {
			size += 4 * len(tensor.Data)
		}
		allocation.Check(t, size, 20, func() { _, _ = architectures.Open(c) })              // an error is as good as none
		allocation.Check(t, size, 20, func() { _, _ = architectures.OpenDiscriminator(c) }) // as above
	})
}

// fits reports whether a learner of the checkpoint's configuration is small enough to be made for every input.
func fits(c models.Checkpoint) bool {
	var size struct {
		Channels, Latent, Encoders, Decoders int
		VAE                                  struct{ Channels int } `json:"vae"`
	}
	if json.Unmarshal(c.Config, &size) != nil {
		return false
	}
	size.Channels = max(size.Channels, size.VAE.Channels)
	if size.Channels < 1 || size.Channels > 4 || size.Latent > 16 || size.Encoders > 1 || size.Decoders > 1 {
		return false
	}
	return c.FrontEnd.Spectrogram.Validate() == nil && c.FrontEnd.Frames > 0 && c.FrontEnd.Frames <= 32 && c.FrontEnd.Spectrogram.Bins() <= 32 && len(c.Config) < 60 && len(c.Labels) <= 8
}
