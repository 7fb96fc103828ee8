package main

import (
	"os"
	"path/filepath"
	"testing"

	"wavemill/internal/allocation"
)

// FuzzDrumkit shows anything in the place of a drumkit.xml: every sample that it names is a file of the kit's own folder.
func FuzzDrumkit(f *testing.F) {
	f.Add([]byte(`<drumkit_info><instrumentList><instrument><name>Kick</name><layer><filename>../../kick.wav</filename></layer></instrument></instrumentList></drumkit_info>`))
	f.Add([]byte(`<drumkit_info xmlns="x"><instrumentList><instrument><name>Snare 1</name><instrumentComponent><layer><filename>s.flac</filename></layer></instrumentComponent><filename>old.wav</filename></instrument></instrumentList></drumkit_info>`))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><drumkit_info><instrumentList><instrument><name>&b;</name></instrument></instrumentList></drumkit_info>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		folder := t.TempDir()
		file := filepath.Join(folder, "drumkit.xml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var samples []sample
		var err error
		allocation.Check(t, len(text), 500, func() { samples, _, err = drumkit(file) })
		for _, s := range samples {
			if dir := filepath.Dir(s.path); err == nil && dir != folder && s.path != folder && filepath.Dir(folder) != s.path {
				t.Errorf("%q is not in the kit's folder", s.path)
			}
			if s.label == "" {
				t.Errorf("%+v has no label", s)
			}
		}
	})
}
