package dataset

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/fingerprint"
)

// Recording is a decoded Item.
type Recording struct {
	Item
	// Clip is empty but for its Label and Source where Err is set. Of a silent recording it holds the first second: zeros
	// that are compressed would fill the memory, and nothing is learnt from them.
	Clip audio.Clip
	// Truncated reports that the file ends before the data it promises; Clip holds what is there.
	Truncated bool
	// Cut reports that the recording is longer than codec.Limit; Clip holds its beginning.
	Cut bool
	// Notes are what the decoder says of faults of the file, in sentences.
	Notes []string
	// Flaw says why nothing can be learnt from the samples; "" for sound.
	Flaw Flaw
	// Err says why the recording cannot be used; nil for a usable one.
	Err error
	// Digest and Print identify the recording; both are empty where Err is set.
	Digest string
	Print  fingerprint.Print
}

var errNoSound = errors.New("there is no sound in it")

// Load decodes the items' files, several at a time, and returns a Recording for each, in order. A file that cannot be
// decoded, or that has no samples, is no error of Load: its Recording carries the error. Load fails only with ctx's
// error.
//
// onProgress, where it is not nil, is called with the number of files done so far, once for each file, never
// concurrently.
func Load(ctx context.Context, items []Item, onProgress func(done int)) ([]Recording, error) {
	out := make([]Recording, len(items))
	var mu sync.Mutex
	done := 0
	var prints fingerprint.Maker
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, item := range items {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			r := load(working, item, &prints)
			if err := working.Err(); err != nil {
				return err
			}
			out[i] = r
			if onProgress != nil {
				mu.Lock()
				defer mu.Unlock()
				done++
				onProgress(done)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

func load(ctx context.Context, item Item, prints *fingerprint.Maker) Recording {
	r := Recording{Item: item}
	clip, info, err := codec.DecodeFile(ctx, item.Path)
	if err == nil && clip.Frames() == 0 {
		err = errNoSound
	}
	if r.Err = err; err != nil {
		clip = audio.Clip{}
	} else {
		r.Flaw = flawOf(clip)
		r.Digest = fingerprint.Digest(clip)
		if n := clip.Rate * clip.Channels; r.Flaw == Silent && len(clip.Samples) > n {
			clip.Samples = slices.Clone(clip.Samples[:n])
		}
		r.Print = prints.Of(clip)
	}
	clip.Label, clip.Source = item.Label, item.Name
	r.Clip, r.Truncated, r.Cut, r.Notes = clip, info.Truncated, info.Cut, info.Notes
	return r
}

// Identity returns what identifies the recording.
func (r *Recording) Identity() Identity {
	return Identity{Source: r.Name, Label: r.Label, Group: r.Group, Digest: r.Digest, Print: r.Print}
}

// Identities returns the identities of recordings, in order.
func Identities(recordings []Recording) []Identity {
	ids := make([]Identity, len(recordings))
	for i := range recordings {
		ids[i] = recordings[i].Identity()
	}
	return ids
}

// Usable returns the recordings that have no error, in order, in a slice of its own.
func Usable(recordings []Recording) []Recording {
	return slices.DeleteFunc(slices.Clone(recordings), func(r Recording) bool { return r.Err != nil })
}

// Labels returns the labels of recordings, sorted, each once.
func Labels(recordings []Recording) []string {
	names := make([]string, len(recordings))
	for i := range recordings {
		names[i] = recordings[i].Label
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Clips returns the clips of recordings, in order. They share their samples.
func Clips(recordings []Recording) []audio.Clip {
	clips := make([]audio.Clip, len(recordings))
	for i := range recordings {
		clips[i] = recordings[i].Clip
	}
	return clips
}
