package eval

// Groups are figures on held-out recordings of groups (speakers, kits, sessions) that the training recordings have, and
// of groups that they lack. Either is nil where there are none.
type Groups struct {
	Known   *GroupFigures `json:"known,omitempty"`
	Unknown *GroupFigures `json:"unknown,omitempty"`
}

// GroupFigures are accuracies on some of the held-out recordings. Those that were not measured are nil.
type GroupFigures struct {
	Recordings int      `json:"recordings"`
	Names      []string `json:"names"` // of the groups, in the order of the recordings
	// Evaluator is the accuracy of the evaluator's classifier on these recordings.
	Evaluator *float64 `json:"label_accuracy,omitempty"`
	// Alone and Real are those of the classifiers of Usefulness.
	Alone *float64 `json:"trained_on_synthetic,omitempty"`
	Real  *float64 `json:"trained_on_real,omitempty"`
	// Intervals by the names above.
	Intervals Intervals `json:"intervals"`
}

// groupsOfReal are the figures of the evaluator itself; nil where the held-out clips have no groups.
func (e *Evaluator) groupsOfReal() *Groups {
	hits := hitTable{e.heldOut.hits()}
	return e.groups(func(g *GroupFigures, recordings []int) {
		d := hits.of(recordings).twoLevel(e.options.Seed)
		g.Evaluator, g.Intervals["label_accuracy"] = &d.value, d.interval()
	})
}

// groupsOfUsefulness are the figures of the classifiers of usefulness.
func (e *Evaluator) groupsOfUsefulness(onSynthetic, onReal hitTable) *Groups {
	return e.groups(func(g *GroupFigures, recordings []int) {
		a := onSynthetic.of(recordings).twoLevel(e.options.Seed)
		b := onReal.of(recordings).twoLevel(e.options.Seed)
		g.Alone, g.Intervals["trained_on_synthetic"] = &a.value, a.interval()
		g.Real, g.Intervals["trained_on_real"] = &b.value, b.interval()
	})
}

// groups parts the held-out recordings and fills in the figures of either part.
func (e *Evaluator) groups(fill func(g *GroupFigures, recordings []int)) *Groups {
	if len(e.options.Groups) == 0 {
		return nil
	}
	part := func(unknown bool) *GroupFigures {
		g := &GroupFigures{Names: []string{}, Intervals: Intervals{}}
		var recordings []int
		seen := map[string]bool{}
		for i, of := range e.options.Groups {
			if of.Unknown != unknown {
				continue
			}
			recordings = append(recordings, i)
			if !seen[of.Name] {
				seen[of.Name] = true
				g.Names = append(g.Names, of.Name)
			}
		}
		if g.Recordings = len(recordings); g.Recordings == 0 {
			return nil
		}
		fill(g, recordings)
		return g
	}
	return &Groups{Known: part(false), Unknown: part(true)}
}
