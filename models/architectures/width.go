package architectures

import (
	"encoding/json"
	"fmt"
	"slices"

	"wavemill/models/gan"
	"wavemill/models/vae"
	"wavemill/models/vaegan"
)

// The evidence is in docs/frontend.md.
const (
	// leastSteps of a VAE of 16 channels in batches of 32: in the time of 2,300 of them, 8 channels are still a little better.
	leastSteps = 3000
	// leastGANSteps is lower because a GAN's two players need their width; it is an estimate.
	leastGANSteps = 1000
)

// A sizing says where an architecture's width stands in its configuration.
type sizing struct {
	channels int     // the default
	share    float64 // of the steps that those measured, the first, are
	least    int64   // steps that the default should make; with fewer, smaller batches and narrower networks are better
	inner    string  // object in which the field "channels" stands; "": at the top

	opponent         string // field of a discriminator's width that follows, if there is one
	opponentChannels int    // its default
}

func sizingOf(name string) (sizing, error) {
	switch name {
	case gan.Arch:
		return sizing{channels: gan.Defaults().Channels, share: 1, least: leastGANSteps}, nil
	case vae.Arch:
		return sizing{channels: vae.Defaults().Channels, share: 1, least: leastSteps}, nil
	case vaegan.Arch:
		d := vaegan.Defaults()
		return sizing{channels: d.VAE.Channels, share: d.Share, least: leastSteps, inner: "vae", opponent: "discriminator_channels", opponentChannels: d.Channels}, nil
	}
	_, err := find(name)
	return sizing{}, err
}

// widths returns the widths that Fit chooses from for an architecture whose default is w: halves, three quarters, one
// and a half times and twice, in multiples of 4, so that the kernels' vectors stay full.
func widths(w int) []int {
	out := []int{w / 2, w * 3 / 4, w, w * 3 / 2, w * 2}
	for i, c := range out {
		out[i] = max(4, c/4*4)
	}
	return slices.Compact(out)
}

// Width returns the number of channels that a configuration asks for, and whether it does so itself rather than leave it
// to the default.
func Width(name string, config json.RawMessage) (channels int, set bool, err error) {
	a, err := sizingOf(name)
	if err != nil {
		return 0, false, err
	}
	var fields map[string]json.RawMessage
	if len(config) > 0 {
		if err := json.Unmarshal(config, &fields); err != nil {
			return 0, false, fmt.Errorf("%s: config: %w", name, err)
		}
	}
	if a.inner != "" {
		var inside map[string]json.RawMessage
		if raw, ok := fields[a.inner]; ok {
			if err := json.Unmarshal(raw, &inside); err != nil {
				return 0, false, fmt.Errorf("%s: config: %s: %w", name, a.inner, err)
			}
		}
		fields = inside
	}
	raw, ok := fields["channels"]
	if !ok {
		return a.channels, false, nil
	}
	if err := json.Unmarshal(raw, &channels); err != nil {
		return 0, false, fmt.Errorf("%s: config: channels: %w", name, err)
	}
	return channels, true, nil
}

// WithWidth returns a configuration with so many channels. What it leaves out keeps its default; a discriminator that
// belongs to the autoencoder becomes wider in proportion, unless the configuration names its width.
func WithWidth(name string, config json.RawMessage, channels int) (json.RawMessage, error) {
	a, err := sizingOf(name)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &fields); err != nil {
			return nil, fmt.Errorf("%s: config: %w", name, err)
		}
	}
	to := fields
	if a.inner != "" {
		inside, ok := fields[a.inner].(map[string]any)
		if !ok {
			inside = map[string]any{}
		}
		fields[a.inner], to = inside, inside
		if _, ok := fields[a.opponent]; !ok && channels != a.channels {
			fields[a.opponent] = max(4, a.opponentChannels*channels/a.channels/4*4)
		}
	}
	to["channels"] = channels
	return json.Marshal(fields) // keys in order: the same choice, the same bytes
}
