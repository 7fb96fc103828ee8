package training

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavemill/models"
)

// agrees returns an error that wraps ErrMismatch where the checkpoint has other settings than the Spec asks for. Settings
// that the Spec leaves out, and those of the first training, agree.
func (s Spec) agrees(c models.Checkpoint) error {
	const subject = "a resumed training"
	if err := s.agreesOnNetwork(c, subject); err != nil {
		return err
	}
	if err := s.agreesOnConfig(c); err != nil {
		return err
	}
	if err := s.agreesOnFrontEnd(c, subject); err != nil {
		return err
	}
	asked := s.Group != "" || len(s.HoldOut) > 0
	if d := c.Data; asked && d != nil && (s.Group != d.Group || !slices.Equal(s.HoldOut, d.HoldOut)) {
		return fmt.Errorf("a resumed training keeps the split of the checkpoint (group %q, hold-out %q): %w", d.Group, strings.Join(d.HoldOut, " "), ErrMismatch)
	}
	return nil
}

// agreesOnNetwork compares the architecture and the width with those of a checkpoint.
func (s Spec) agreesOnNetwork(c models.Checkpoint, subject string) error {
	if s.Job.Arch != "" && s.Job.Arch != c.Arch {
		return fmt.Errorf("the checkpoint is a %s, not a %s: %w", c.Arch, s.Job.Arch, ErrMismatch)
	}
	if channels, err := ParseChannels(s.Width); err != nil {
		return err
	} else if channels > 0 {
		width, _, err := s.Job.Architectures.OrKnown().Width(c.Arch, c.Config)
		if err != nil {
			return err
		}
		if width != channels {
			return fmt.Errorf("%s keeps the network of the checkpoint, %d channels: %w", subject, width, ErrMismatch)
		}
	}
	return nil
}

// agreesOnFrontEnd compares the front end with that of a checkpoint.
func (s Spec) agreesOnFrontEnd(c models.Checkpoint, subject string) error {
	if same, err := s.FrontEnd.Matches(c.FrontEnd); err != nil {
		return err
	} else if !same {
		f := c.FrontEnd.Spectrogram
		return fmt.Errorf("%s keeps the front end of the checkpoint (n-fft %d, hop %d, mels %d, frames %d, %s): %w", subject,
			f.NFFT, f.Hop, f.Mels, c.FrontEnd.Frames, channelsText(f), ErrMismatch)
	}
	return nil
}

// agreesOnConfig compares the configuration with that of the checkpoint, which has more fields.
func (s Spec) agreesOnConfig(c models.Checkpoint) error {
	config, err := s.config(c.Arch)
	if err != nil || len(config) == 0 {
		return err
	}
	var asked, has any
	if err := json.Unmarshal(config, &asked); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := json.Unmarshal(c.Config, &has); err != nil {
		return fmt.Errorf("%s: configuration: %w", s.Out, err)
	}
	if field, ok := contains(has, asked, ""); !ok {
		return fmt.Errorf("a resumed training keeps the configuration of the checkpoint, in which %s is another one: %w", field, ErrMismatch)
	}
	return nil
}

// contains reports whether the JSON value has holds all that asked holds, or else the path of the first field that differs.
func contains(has, asked any, path string) (string, bool) {
	fields, isObject := asked.(map[string]any)
	if !isObject {
		a, errA := json.Marshal(has)
		b, errB := json.Marshal(asked)
		return strings.TrimPrefix(path, "."), errA == nil && errB == nil && string(a) == string(b)
	}
	of, isObject := has.(map[string]any)
	if !isObject {
		return strings.TrimPrefix(path, "."), false
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if at, ok := contains(of[name], fields[name], path+"."+name); !ok {
			return at, false
		}
	}
	return "", true
}
