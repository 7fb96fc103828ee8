package dataset

import (
	"runtime"

	"golang.org/x/sync/errgroup"

	"wavemill/audio/fingerprint"
)

// Identity says which recording something was made of. Checkpoints and messages carry it as JSON.
type Identity struct {
	// Source is the recording's name, for people. It decides nothing.
	Source string `json:"source"`
	Label  string `json:"label"`
	// Group is what the recording shares with others of its kind, such as the speaker; "" when unknown.
	Group string `json:"group,omitempty"`
	// Digest is fingerprint.Digest of the recording.
	Digest string `json:"digest"`
	// Print is fingerprint.Of the recording; empty where only the digest identifies it.
	Print fingerprint.Print `json:"print,omitzero"`
}

// A Matcher recognizes the recordings of a set, such as those that a checkpoint has learnt from. It is not changed by
// its methods, which may run concurrently.
type Matcher struct {
	byDigest map[string]int
	index    fingerprint.Index
}

// NewMatcher makes a Matcher of a set of recordings. It keeps nothing of the slice.
func NewMatcher(set []Identity) *Matcher {
	m := &Matcher{byDigest: make(map[string]int, len(set))}
	for i, id := range set {
		if _, known := m.byDigest[id.Digest]; !known && id.Digest != "" {
			m.byDigest[id.Digest] = i
		}
		m.index.Add(id.Print)
	}
	return m
}

// Contains reports whether a recording is in the set, and as which of its members: one with the same digest, else the
// first with a similar fingerprint. Source, Label and Group do not matter.
func (m *Matcher) Contains(id Identity) (which int, ok bool) {
	if i, ok := m.byDigest[id.Digest]; ok {
		return i, true
	}
	if like := m.index.Similar(id.Print); len(like) > 0 {
		return like[0], true
	}
	return 0, false
}

// clusters numbers the clusters of near copies and returns the number of each recording: recordings with the same digest
// or similar fingerprints share one, and so do those that a chain of such pairs joins. Clusters are numbered by their
// smallest digest, whatever the order of the recordings; keys holds these digests.
func clusters(ids []Identity) (of []int, keys []string) {
	order := byDigest(ids)
	parent := make([]int, len(ids))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	var index fingerprint.Index
	var indexed []int // recordings by their number in the index
	for k, i := range order {
		if k > 0 && ids[i].Digest == ids[order[k-1]].Digest {
			parent[root(i)] = root(order[k-1])
			continue
		}
		index.Add(ids[i].Print)
		indexed = append(indexed, i)
	}
	// Each is looked up among all: of two copies, the index may find one by the other and not the other by the one.
	like := make([][]int, len(indexed))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for n, i := range indexed {
		group.Go(func() error {
			like[n] = index.Similar(ids[i].Print)
			return nil
		})
	}
	_ = group.Wait() // none fails
	for n, i := range indexed {
		for _, other := range like[n] {
			parent[root(i)] = root(indexed[other])
		}
	}
	of = make([]int, len(ids))
	numbers := map[int]int{}
	for _, i := range order {
		n, known := numbers[root(i)]
		if !known {
			n = len(keys)
			numbers[root(i)] = n
			keys = append(keys, ids[i].Digest)
		}
		of[i] = n
	}
	return of, keys
}
