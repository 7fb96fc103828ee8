package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
)

// A sample is an audio file with its label.
type sample struct {
	path, label, pack string
	instrument        string                 // what the pack calls it
	read              func() ([]byte, error) // reads what is no file of its own; nil for the file at path
}

// A skip is a file that gets no label, or that is left out, and the reason.
type skip struct{ path, reason string }

// A kitFile is what is read of a drumkit.xml of Hydrogen. Versions differ in namespaces and in where the layers are: below
// the instrument or below its components; a single file without layers is that of version 0.9.
type kitFile struct {
	Instruments []struct {
		Name       string   `xml:"name"`
		Single     string   `xml:"filename"`
		Layers     []string `xml:"layer>filename"`
		Components []struct {
			Layers []string `xml:"layer>filename"`
		} `xml:"instrumentComponent"`
	} `xml:"instrumentList>instrument"`
}

// drumkits lists the samples of all drum kits below a folder, or of the one that it is.
func drumkits(dir string) ([]sample, []skip, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "drumkit.xml"))
	if err != nil {
		return nil, nil, err
	}
	if one := filepath.Join(dir, "drumkit.xml"); len(files) == 0 && exists(one) {
		files = []string{one}
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("no drum kit in %s: want folders with a drumkit.xml, as Debian's hydrogen-drumkits has in /usr/share/hydrogen/data/drumkits", dir)
	}
	var samples []sample
	var skipped []skip
	for _, f := range files {
		some, none, err := drumkit(f)
		if err != nil {
			return nil, nil, err
		}
		samples, skipped = append(samples, some...), append(skipped, none...)
	}
	return samples, skipped, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// drumkit lists the samples of one kit: all layers of each instrument, in the order of the file.
func drumkit(file string) ([]sample, []skip, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var kit kitFile
	if err := xml.Unmarshal(b, &kit); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	var samples []sample
	var skipped []skip
	folder := filepath.Dir(file)
	for _, in := range kit.Instruments {
		names := in.Layers
		for _, c := range in.Components {
			names = append(names, c.Layers...)
		}
		if len(names) == 0 && in.Single != "" {
			names = []string{in.Single}
		}
		for _, name := range names {
			path := filepath.Join(folder, filepath.Base(name)) // Kits are flat; a path that leads elsewhere is not followed.
			label, reason := classify(in.Name, name)
			if reason != "" {
				skipped = append(skipped, skip{path, reason})
				continue
			}
			samples = append(samples, sample{path: path, label: label, pack: slug(filepath.Base(folder)), instrument: in.Name})
		}
	}
	return samples, skipped, nil
}
