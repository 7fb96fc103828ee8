package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/wav"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct{ instrument, file, want string }{
		{"BassDrum", "BD_08.aiff", "kick"},
		{"c3 - bass drum 1", "beats_06-38.flac", "kick"},
		{"Kick Lite 1", "EE_Kick_Lite_1.flac", "kick"},
		{"Snare1", "snare-opaque-normal-mic-rimshot7.flac", "snare"},
		{"redo super opaco", "snare-opaque-2mics_normal-shot1.flac", "snare"},
		{"Snare Rimshot (Pearl 14x3.5)", "SnareRim-0.wav", "snare"},
		{"Pearl Side Stick", "PearlSideStick-Soft.wav", "rim"},
		{"Stick", "stick-rim-9.flac", "rim"},
		{"Hi-Hat Closed (Paiste 14\")", "HiHatClosed-0.wav", "closed-hat"},
		{"Closed HH 1", "FX_Chh_01.flac", "closed-hat"},
		{"VariBreaks Hat 1 Cl", "VP Hat 1 Cl.flac", "closed-hat"},
		{"Hi Hat Opened", "HH2_08.aiff", "open-hat"},
		{"Sabian Hat Semi-Open", "SabianHatSemiOpen-Med.wav", "open-hat"},
		{"Side OHH", "PowR_HH_2.flac", "open-hat"},
		{"VariBreaks Hat 1 Pd", "VP Hat 1 Pd.flac", "pedal-hat"},
		{"Pedal HH", "hh_p.flac", "pedal-hat"},
		{"tomhi2", "tom-hi-1.flac", "tom"},
		{"Pearl Tom Floor", "PearlTomFloor-Soft.wav", "tom"},
		{"crash16inch", "crash16i__ride2.flac", "cymbal"},
		{"Paiste Bell", "PaisteBell-Soft.wav", "cymbal"},
		{"Hand Clap", "HandClap.wav", "clap"},
		{"Cowbell", "mc_cb.flac", "cowbell"},
		// Without a label.
		{"Kick", "86335__zgump__tom-0105.wav", ""},
		{"Pedal HH", "hihat-semi-open-1.flac", ""},
		{"Snare Roll", "SN3_04.aiff", ""},
		{"Hat Ring 1", "EE_Hat_Ring_1.flac", ""},
		{"Sangban1 Bell Hit", "Sangban1 Bell Hit.wav", ""},
		{"Sample: beats_01-10.flac", "beats_01-10.flac", ""},
		{"", "", ""},
	} {
		label, reason := classify(c.instrument, c.file)
		if label != c.want || (reason == "") != (c.want != "") {
			t.Errorf("%q with %q is %q (%s), want %q", c.instrument, c.file, label, reason, c.want)
		}
	}
}

// file writes a WAV file of a few samples that start with the given one.
func file(t *testing.T, first float32, name ...string) {
	t.Helper()
	path := filepath.Join(name...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	clip := audio.Clip{Samples: []float32{first, first / 2, 0, 0}, Channels: 2, Rate: 44100}
	if err := wav.WriteFile(path, clip, wav.Options{}); err != nil {
		t.Fatal(err)
	}
}

const kitXML = `<drumkit_info xmlns="http://www.hydrogen-music.org/drumkit"><instrumentList>
<instrument><name>Kick</name><layer><filename>k1.wav</filename></layer><layer><filename>k2.wav</filename></layer></instrument>
<instrument><name>Snare</name><instrumentComponent><layer><filename>s1.wav</filename></layer></instrumentComponent></instrument>
<instrument><name>Snare 2</name><filename>s1.wav</filename></instrument>
<instrument><name>Clap</name><filename>../../outside.wav</filename></instrument>
<instrument><name>Zap</name><filename>zap.wav</filename></instrument>
<instrument><name>Tom</name><filename>silent.wav</filename></instrument>
<instrument><name>Tom</name><filename>copy.wav</filename></instrument>
</instrumentList></drumkit_info>`

func TestDrumkits(t *testing.T) {
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "drums")
	for _, kit := range []string{"A Kit", "B_10.0"} {
		gain := float32(len(kit)) / 10
		for i, name := range []string{"k1", "k2", "s1", "zap", "silent", "copy"} {
			file(t, gain+float32(i)/100, in, kit, name+".wav")
		}
		file(t, 0, in, kit, "silent.wav")
		file(t, gain, in, kit, "copy.wav")
		if err := os.WriteFile(filepath.Join(in, kit, "drumkit.xml"), []byte(kitXML), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file(t, 0.9, filepath.Dir(in), "outside.wav")
	if err := run(t.Context(), []string{"-out", out, "drumkits", in}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, pattern := range []string{"*/*.wav", "../drums.csv"} {
		paths, _ := filepath.Glob(filepath.Join(out, pattern))
		for _, p := range paths {
			got = append(got, strings.TrimPrefix(filepath.ToSlash(p), filepath.ToSlash(out)+"/"))
		}
	}
	want := "kick/a-kit_01.wav kick/a-kit_02.wav kick/b-10.0_01.wav kick/b-10.0_02.wav snare/a-kit_01.wav snare/b-10.0_01.wav " + filepath.ToSlash(out) + ".csv"
	if strings.Join(got, " ") != want {
		t.Errorf("wrote %v, want %s", got, want)
	}
	source, _ := os.ReadFile(filepath.Join(in, "A Kit", "k2.wav"))
	if copied, _ := os.ReadFile(filepath.Join(out, "kick", "a-kit_02.wav")); !bytes.Equal(source, copied) {
		t.Error("a WAV file is not copied as it is")
	}
	if err := run(t.Context(), []string{"-out", out, "drumkits", in}); err == nil {
		t.Error("an existing folder is overwritten")
	}
	for name, args := range map[string][]string{
		"left out": {"-without", "b-10.0,none", "drumkits", in}, "the kit itself": {"drumkits", filepath.Join(in, "A Kit")},
	} {
		one := filepath.Join(t.TempDir(), "one")
		if err := run(t.Context(), append([]string{"-out", one}, args...)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if files, _ := filepath.Glob(filepath.Join(one, "*", "*.wav")); len(files) != 3 {
			t.Errorf("%s: %v, want the three strokes of the other kit", name, files)
		}
	}
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"bd_808", "bd_haus", "bd_808_copy", "sn_dub", "plain"} {
		file(t, 0.1+float32(i)/10, dir, name+".wav")
	}
	file(t, 0.1, dir, "bd_808_copy.wav")
	samples, skipped, err := prefixed(dir)
	if err != nil || len(samples) != 4 || len(skipped) != 1 {
		t.Fatalf("%d samples, skipped %v, %v", len(samples), skipped, err)
	}
	s, err := load(t.Context(), samples, limits{packs: 1, recordings: 2, longest: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	s.report(&b)
	for _, want := range []string{"2 recordings", "2 bd", "2 samples skipped", "1 the same sound as another", "sn has 1 recordings from 1 packs"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in the report:\n%s", want, b.String())
		}
	}
}

func TestRefuses(t *testing.T) {
	empty := t.TempDir()
	broken := filepath.Join(t.TempDir())
	file(t, 0.5, broken, "kit", "x.wav")
	if err := os.WriteFile(filepath.Join(broken, "kit", "drumkit.xml"), []byte("<drumkit_info><instr"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{},
		{"drumkits", empty},
		{"-out", filepath.Join(empty, "o"), "kits", empty},
		{"-out", filepath.Join(empty, "o"), "drumkits", empty},
		{"-out", filepath.Join(empty, "o"), "drumkits", broken},
		{"-out", filepath.Join(empty, "o"), "prefix", empty},
		{"-out", filepath.Join(empty, "o"), "-longest", "1us", "prefix", filepath.Join(broken, "kit")},
		{"-out", filepath.Join(empty, "o"), "prefix", filepath.Join(empty, "missing")},
	} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
