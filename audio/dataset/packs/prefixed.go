package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wavemill/audio/codec"
)

// prefixed lists the audio files of a folder, labelled by their names up to the first _.
func prefixed(dir string) ([]sample, []skip, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	var samples []sample
	var skipped []skip
	for _, e := range entries {
		name, path := e.Name(), filepath.Join(dir, e.Name())
		if e.IsDir() || !codec.IsAudioName(name) {
			continue
		}
		prefix, rest, found := strings.Cut(strings.TrimSuffix(name, filepath.Ext(name)), "_")
		if !found || slug(prefix) == "" || slug(rest) == "" {
			skipped = append(skipped, skip{path, "its name has no _"})
			continue
		}
		samples = append(samples, sample{path: path, label: slug(prefix), pack: slug(rest), instrument: name})
	}
	if len(samples) == 0 {
		return nil, nil, fmt.Errorf("no audio file in %s is named PREFIX_REST", dir)
	}
	return samples, skipped, nil
}

// named lists the audio files of a folder, labelled as drums by what their names say. The folder is the pack.
func named(dir string) ([]sample, []skip, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	pack := slug(filepath.Base(filepath.Dir(filepath.Clean(dir))) + "-" + filepath.Base(dir))
	var samples []sample
	var skipped []skip
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() || !codec.IsAudioName(e.Name()) {
			continue
		}
		label, reason := classify("", e.Name())
		if reason != "" {
			skipped = append(skipped, skip{path, reason})
			continue
		}
		samples = append(samples, sample{path: path, label: label, pack: pack, instrument: e.Name()})
	}
	if len(samples) == 0 {
		return nil, nil, fmt.Errorf("no audio file in %s is named after a drum", dir)
	}
	return samples, skipped, nil
}
