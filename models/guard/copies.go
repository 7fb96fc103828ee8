package guard

import "wavemill/audio/fingerprint"

// Copies finds near copies among the examples before each. Copies that lie elsewhere between two channels, by 3 dB of pan or
// width, are recordings of their own. It keeps between twice and four times as many as it looks back:
// two generations of an index, of which the older is dropped when the newer is full. It is not safe for concurrent use.
type Copies struct {
	n        uint64 // how far it looks back
	old, new copies
}

// copies is one generation.
type copies struct {
	index   fingerprint.Index
	entries []entry
	digests map[string]int // the last entry with a digest
}

type entry struct {
	id    uint64
	label string
	image []float64
}

// NewCopies returns an empty set that finds copies of an example among those whose ID is less by n at most.
func NewCopies(n int) *Copies { return &Copies{n: uint64(max(1, n))} }

// Add takes an example in. IDs must rise.
func (c *Copies) Add(e Example) {
	if uint64(len(c.new.entries)) >= 2*c.n {
		c.old, c.new = c.new, copies{}
	}
	if c.new.digests == nil {
		c.new.digests = map[string]int{}
	}
	if e.Digest != "" && e.Flaw == "" {
		c.new.digests[e.Digest] = len(c.new.entries)
	}
	c.new.index.Add(e.Print) // An empty one takes a number too.
	c.new.entries = append(c.new.entries, entry{e.ID, e.Label, e.image})
}

// Of returns the ID and the label of the last example before e that is the same recording.
func (c *Copies) Of(e Example) (id uint64, label string, ok bool) {
	if e.Flaw != "" {
		return 0, "", false
	}
	for _, g := range []*copies{&c.old, &c.new} {
		numbers := g.index.Similar(e.Print)
		if i, known := g.digests[e.Digest]; known && e.Digest != "" {
			numbers = append(numbers, i)
		}
		for _, i := range numbers {
			if x := g.entries[i]; x.id < e.ID && x.id+c.n >= e.ID && x.id >= id && !e.elsewhere(x.image) {
				id, label, ok = x.id, x.label, true
			}
		}
	}
	return id, label, ok
}

// Judge adds the findings about copies to a verdict.
func (c *Copies) Judge(v *Verdict, e Example, l Limits) {
	id, label, ok := c.Of(e)
	switch {
	case ok && label == e.Label:
		v.find(l, RuleCopy, "it is a near copy of message %d", id)
	case ok:
		v.find(l, RulePoisoned, "it is a near copy of message %d, whose label is %s", id, label)
	}
}
