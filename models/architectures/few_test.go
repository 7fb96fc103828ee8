package architectures_test

import (
	"encoding/json"
	"testing"

	"wavemill/models/architectures"
)

func TestForFew(t *testing.T) {
	for _, c := range []struct {
		arch, config  string
		clips, labels int
		want          string
		varied        bool
	}{
		{"vae", "", 120, 10, `{"vary":1}`, true},
		{"vae", `{"latent":8}`, 120, 10, `{"latent":8,"vary":1}`, true},
		{"vae", `{"vary":0}`, 120, 10, `{"vary":0}`, false},
		{"vae", "", 400, 10, "", false},
		{"vaegan", `{"share":0.5}`, 120, 10, `{"share":0.5,"vae":{"vary":1}}`, true},
		{"vaegan", `{"vae":{"vary":0.5}}`, 120, 10, `{"vae":{"vary":0.5}}`, false},
		{"gan", "", 1, 10, "", false},
		{"flow", `{"steps":8}`, 120, 10, `{"steps":8,"vary":1}`, true},
	} {
		got, varied, err := architectures.ForFew(c.arch, json.RawMessage(c.config), c.clips, c.labels)
		if err != nil || string(got) != c.want || varied != c.varied {
			t.Errorf("%s of %s with %d clips of %d labels: %s, %v, error %v; want %s", c.arch, c.config, c.clips, c.labels, got, varied, err, c.want)
		}
	}
	if _, _, err := architectures.ForFew("vaegan", json.RawMessage(`{"vae":1}`), 1, 1); err == nil {
		t.Error("no error for a configuration that is none")
	}
}
