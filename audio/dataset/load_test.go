package dataset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/wav"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	clip := noise(1)
	good, err := wav.Encode(clip, wav.Options{Encoding: wav.Float32})
	if err != nil {
		t.Fatal(err)
	}
	empty, err := wav.Encode(audio.Clip{Channels: 1, Rate: 8000}, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"b_good.wav": good, "a_bad.wav": []byte("no sound at all"), "a_empty.wav": empty, "b_short.wav": good[:len(good)/2], "a_again.wav": good}
	var items []Item
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		items = append(items, Item{Path: path, Name: name, Label: name[:1], Group: "g"})
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
	last, calls := 0, 0
	all, err := Load(t.Context(), items, func(done int) {
		calls++
		if done != last+1 {
			t.Errorf("progress goes from %d to %d", last, done)
		}
		last = done
	})
	if err != nil || len(all) != 5 || calls != 5 {
		t.Fatalf("%d recordings, %d calls, %v", len(all), calls, err)
	}
	for i, r := range all {
		if r.Item != items[i] || r.Clip.Label != items[i].Label || r.Clip.Source != items[i].Name {
			t.Errorf("recording %d: %+v", i, r.Item)
		}
		if unusable := r.Name == "a_bad.wav" || r.Name == "a_empty.wav"; (r.Err != nil) != unusable || (r.Digest == "") != unusable || r.Print.IsZero() != unusable || (r.Clip.Frames() == 0) != unusable {
			t.Errorf("%s: error %v, digest %q", r.Name, r.Err, r.Digest)
		}
		if r.Truncated != (r.Name == "b_short.wav") {
			t.Errorf("%s: truncated %v", r.Name, r.Truncated)
		}
	}
	usable := Usable(all)
	if len(usable) != 3 || len(all) != 5 || len(Clips(usable)) != 3 || !slices.Equal(Labels(all), []string{"a", "b"}) {
		t.Errorf("%d usable, labels %v", len(usable), Labels(all))
	}
	ids := Identities(usable)
	if ids[0].Digest != ids[1].Digest || ids[0].Source != "a_again.wav" || ids[0].Group != "g" || ids[1].Label != "b" {
		t.Errorf("identities %+v", ids[:2])
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, items, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if none, err := Load(t.Context(), nil, nil); err != nil || len(none) != 0 {
		t.Errorf("nothing to load: %v, %v", none, err)
	}
}
