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
		samples = append(samples, sample{path, slug(prefix), slug(rest), name})
	}
	if len(samples) == 0 {
		return nil, nil, fmt.Errorf("no audio file in %s is named PREFIX_REST", dir)
	}
	return samples, skipped, nil
}
