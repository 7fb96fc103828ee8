package dataset_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"wavemill/audio/dataset"
)

func ExampleScan() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"three_ann_0.wav", "three_bob_0.wav", "seven_ann_0.wav", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			log.Fatal(err)
		}
	}
	d, err := dataset.Scan(context.Background(), []string{dir}, dataset.Options{Labels: "{label}_{speaker}_{n}"})
	if err != nil {
		log.Fatal(err)
	}
	for _, it := range d.Items {
		fmt.Println(it.Name, it.Label, it.Group)
	}
	fmt.Println(d.LabelNames(), d.Skipped[0].Reason)
	// Output:
	// seven_ann_0.wav seven ann
	// three_ann_0.wav three ann
	// three_bob_0.wav three bob
	// [seven three] not a known audio file name
}

func ExampleShardWriter() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w, err := dataset.OpenShardWriter(dir, 2, 0)
	if err != nil {
		log.Fatal(err)
	}
	if err := w.WriteRows(dataset.EncodeRows(nil, []float32{1, 2, 3, 4, 5, 6})); err != nil {
		log.Fatal(err)
	}
	if err := w.Commit(dataset.Entry{Label: "kick", Source: "a.wav"}); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	s, err := dataset.OpenShards(dir)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range s.Entries() {
		rows, err := s.Read(e)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Shard, e.Offset, e.Frames, e.Label, rows)
	}
	// Output: shard-00000.npy 0 3 kick [1 2 3 4 5 6]
}

func ExampleHoldout() {
	var recordings []dataset.Identity
	for _, speaker := range []string{"ann", "bob", "cid"} {
		for i := range 20 {
			// Digest and Print come from package fingerprint; Load fills them in.
			digest := fmt.Sprintf("%s %d", speaker, i)
			recordings = append(recordings, dataset.Identity{Label: "three", Group: speaker, Digest: digest})
		}
	}
	rule := dataset.DefaultHoldout(1)
	rule.Out = []string{"speaker=bob"}
	split, err := rule.Split(recordings)
	if err != nil {
		log.Fatal(err)
	}
	known := 0
	for _, unknown := range split.Unknown {
		if !unknown {
			known++
		}
	}
	fmt.Println(len(split.Train)+len(split.Validation)+len(split.HeldOut), "recordings")
	fmt.Println(len(split.HeldOut)-known, "held out of a speaker that nothing was learnt from")
	fmt.Println("some held out of the others:", known > 0)
	// Output:
	// 60 recordings
	// 20 held out of a speaker that nothing was learnt from
	// some held out of the others: true
}

func ExampleMatcher() {
	matcher := dataset.NewMatcher([]dataset.Identity{{Source: "a.wav", Digest: "5f1c"}, {Source: "b.wav", Digest: "09e2"}})
	which, ok := matcher.Contains(dataset.Identity{Source: "renamed.wav", Digest: "09e2"})
	fmt.Println(which, ok)
	// Output: 1 true
}
