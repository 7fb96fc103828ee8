package architectures

import (
	"encoding/json"
	"fmt"

	"wavemill/models/vae"
	"wavemill/models/vaegan"
)

// fewClips is how many clips a label must have, on the mean, for a model to learn from them as they are; docs/quality.md
// has the evidence.
const fewClips = 40

// ForFew returns the configuration of an architecture for labels that have so many clips in all: where they are few, one
// that varies the clips, unless it says itself whether to, and true. What is no autoencoder, and has augmentation of its
// own, is left alone.
func ForFew(name string, config json.RawMessage, clips, labels int) (json.RawMessage, bool, error) {
	if clips >= fewClips*labels || (name != vae.Arch && name != vaegan.Arch) {
		return config, false, nil
	}
	fields := map[string]json.RawMessage{}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &fields); err != nil {
			return nil, false, fmt.Errorf("%s: config: %w", name, err)
		}
	}
	if name == vaegan.Arch {
		inner, changed, err := ForFew(vae.Arch, fields["vae"], clips, labels)
		if err != nil || !changed {
			return config, false, err
		}
		fields["vae"] = inner
	} else {
		if _, set := fields["vary"]; set {
			return config, false, nil
		}
		fields["vary"] = json.RawMessage("1")
	}
	text, err := json.Marshal(fields)
	return text, err == nil, err
}
