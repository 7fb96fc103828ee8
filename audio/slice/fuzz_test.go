package slice

import (
	"os"
	"path/filepath"
	"testing"

	"wavemill/internal/allocation"
)

// FuzzRecord shows anything in the place of what an earlier run has written of a source: its clips, a line each, and its end.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"file":"a/x_000000000.wav","label":"a"}` + "\n" + `{"source":"x.wav"}` + "\n"))
	f.Add([]byte("{}\n{\"file\":\"../x\"}\n"))
	f.Add([]byte("\n\n["))
	f.Fuzz(func(t *testing.T, text []byte) {
		record := filepath.Join(t.TempDir(), "x.jsonl")
		if err := os.WriteFile(record, text, 0o600); err != nil {
			t.Fatal(err)
		}
		allocation.Check(t, len(text), 500, func() {
			end, err := readEnd(record)
			if err == nil && end == nil {
				t.Error("a record that is there has neither an end nor an error")
			}
			if err := eachClip(record, func(r ClipRecord, _ []byte) error {
				if r.File == "" {
					t.Error("a clip without a file")
				}
				return nil
			}); err != nil {
				return // as good as none
			}
		})
	})
}
