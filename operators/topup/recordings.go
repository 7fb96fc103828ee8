package topup

import (
	"context"
	"maps"
	"slices"
	"strings"

	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// A reservoir keeps recordings, each once by digest and label: of more than its limit those with the smallest digests, which
// are the same in whatever order they come.
type reservoir struct {
	limit int
	byKey map[string]dataset.Recording
	most  string // the greatest key
	count map[string]int
}

func newReservoir(limit int) *reservoir {
	return &reservoir{limit: limit, byKey: map[string]dataset.Recording{}, count: map[string]int{}}
}

// add returns whether r is new and kept.
func (v *reservoir) add(r dataset.Recording) bool {
	key := r.Digest + "\n" + r.Label
	if _, known := v.byKey[key]; known {
		return false
	}
	if len(v.byKey) >= v.limit {
		if key > v.most {
			return false
		}
		v.count[v.byKey[v.most].Label]--
		delete(v.byKey, v.most)
		v.most = ""
		for k := range v.byKey {
			v.most = max(v.most, k)
		}
	}
	v.byKey[key], v.most = r, max(v.most, key)
	v.count[r.Label]++
	return true
}

// all returns the recordings ordered by digest and label.
func (v *reservoir) all() []dataset.Recording {
	out := make([]dataset.Recording, 0, len(v.byKey))
	for _, key := range slices.Sorted(maps.Keys(v.byKey)) {
		out = append(out, v.byKey[key])
	}
	return out
}

// decode reads a recording. Errors are Invalid unless ctx has ended.
func decode(ctx context.Context, m *pipeline.Message) (dataset.Recording, error) {
	name := m.Header[header.Source]
	if name == "" {
		name = m.ID
	}
	clip, info, err := codec.Decode(ctx, name, m.Body)
	switch {
	case err != nil && ctx.Err() != nil:
		return dataset.Recording{}, err
	case err != nil:
		return dataset.Recording{}, &pipeline.Error{Kind: pipeline.Invalid, Err: err}
	case clip.Peak() == 0:
		return dataset.Recording{}, pipeline.Errorf(pipeline.Invalid, "%s: the recording is silent", name)
	}
	clip.Label, clip.Source = m.Label, name
	return dataset.Recording{
		Item: dataset.Item{Path: name, Name: strings.TrimSpace(name), Label: m.Label}, Clip: clip, Truncated: info.Truncated,
		Digest: fingerprint.Digest(clip), Print: fingerprint.Of(clip),
	}, nil
}
