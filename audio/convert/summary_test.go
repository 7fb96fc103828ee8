package convert

import (
	"strings"
	"testing"

	"wavemill/audio/spectrogram"
)

func TestSummaryString(t *testing.T) {
	config := spectrogram.Config{SampleRate: 8000, NFFT: 256, Hop: 64, Scale: spectrogram.ScaleMel, Mels: 20, Value: spectrogram.ValueLog}
	s := Summary{
		To: NPY, Out: "shards", Converted: 3, AlreadyDone: 4, Skipped: 2, Truncated: 1, Seconds: 7.04, Elapsed: 0.5, Realtime: 14.08,
		Config: &config, LabelSource: "name of the folder", Labels: map[string]int{"kick": 5, "bell": 2},
	}
	want := `shards: 7 files to npy, 4 of them in an earlier run, 2 skipped
  7.0 s of sound in 0.50 s (14 x real time)
  labels from the name of the folder: bell (2), kick (5)
  20 bins (mel, log) at 8000 Hz, n_fft 256, hop 64
  of 1 files a part is missing or cannot be decoded; the rest was converted
  skipped files and reasons: shards/skipped.jsonl`
	if got := s.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSummaryStringListsFewLabels(t *testing.T) {
	s := Summary{To: WAV, Out: "sound", Labels: map[string]int{}}
	for c := 'a'; c <= 'z'; c++ {
		s.Labels[string(c)] = 1
	}
	got := s.String()
	if !strings.HasSuffix(got, "s (1), t (1) and 6 more") || strings.Contains(got, "u (1)") || strings.Count(got, "\n") != 2 {
		t.Errorf("%s", got)
	}
}
