package measure_test

import (
	"strings"
	"testing"

	"wavemill/audio/measure"
	"wavemill/audio/wav"
)

func TestReportText(t *testing.T) {
	r := measure.Report{
		File: "x.wav", Format: "wav", Encoding: "pcm_s16le", SampleRate: 8000, Channels: 1, Frames: 4000, Duration: 0.5, Peak: 0.5,
		Measured: true, Truncated: true, Tags: map[string]string{"INAM": "kick", "ICMT": "c"}, Notes: []string{"odd"},
		Sampler: &wav.Sampler{Note: 69, Cents: 1.25, Loops: []wav.Loop{{Start: 0, End: 4000}}},
	}
	want := "x.wav: wav (pcm_s16le)\n  8000 Hz, 1 channels, 4000 frames, 0.500 s\n  peak 0.5000 (-6.0 dBFS), rms 0.0000 (silent), bandwidth 0 Hz\n" +
		"  ICMT: c\n  INAM: kick\n  MIDI note 69 and 1.2 cents\n  loop of frames 0 to 4000, 0.500 s\n  truncated: the file ends before the data that its header declares\n  odd"
	if got := r.String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	r.File, r.Tags = "a\n\x1b[2J.wav", map[string]string{"INAM": "one\ntwo\x1b"}
	if got := r.String(); !strings.HasPrefix(got, `a\n\u001b[2J.wav: wav`) || !strings.Contains(got, `INAM: one\ntwo\u001b`) {
		t.Errorf("control characters: %q", got)
	}
	r.Measured = false
	if got := r.String(); strings.Contains(got, "peak") || !strings.Contains(got, "--full decodes all of it") {
		t.Errorf("not measured: %s", got)
	}
}
