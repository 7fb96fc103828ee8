package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Holdout is the rule that divides recordings into those that weights are learnt from, those that choose among weights
// during training (validation) and those that evaluate the result (held out). The same rule gives the same division of the
// same recordings, whatever their names, order and folders.
type Holdout struct {
	// Share is the share of recordings held out, in [0, 1); see DefaultHoldout. With 0, only Out is held out.
	Share float64 `json:"share"`
	// Validation is the share of the remaining recordings that choose the weights, in [0, 1).
	Validation float64 `json:"validation"`
	// Seed chooses among the divisions of one rule.
	Seed uint64 `json:"seed"`
	// Group names the field that Identity.Group was made of, such as "speaker". When it is set, whole groups are held
	// out. When it is empty and so is Out, groups are ignored.
	Group string `json:"group,omitempty"`
	// Out lists groups to hold out, as "speaker=theo"; the field must be Group where that is set. Share is then held out
	// of the other groups' recordings one by one, so that figures of known and unknown groups can be told apart.
	Out []string `json:"out,omitempty"`
}

// DefaultHoldout holds out a tenth, and uses a twentieth of the rest for validation: of 100 recordings of a label, 10
// evaluate the result, 4 or 5 choose the weights and 85 are learnt from.
func DefaultHoldout(seed uint64) Holdout {
	return Holdout{Share: 0.1, Validation: 0.05, Seed: seed}
}

// Partition is a division of recordings. Train, Validation and HeldOut hold indices, ascending; together they hold every
// recording once.
type Partition struct {
	Train, Validation, HeldOut []int
	// Unknown says of each recording of HeldOut whether its group is in neither Train nor Validation. All are false
	// where groups are ignored.
	Unknown []bool
	// Cluster is the number of each recording's cluster of near copies, from 0; equal numbers mean near copies.
	Cluster []int
}

// Split divides recordings. Near copies (the same digest, or similar fingerprints, also over several steps and across
// labels) form a cluster, which stays whole. With Group, all recordings of a group stay together in HeldOut or outside
// it, and so do groups that share a cluster; validation is still drawn by cluster, because a group of its own would cost
// training too much.
//
// A hash of Seed and the cluster's smallest digest (or the group's name) decides, and nothing else: other recordings do
// not move it. The exceptions keep every label usable. Each label keeps at least one cluster in Train, if Out leaves it
// any. A label of two or more clusters (or groups, with Group) has at least one in HeldOut, unless that would take the
// last of another label. A label of four or more clusters has at least one in Validation, a smaller one has none.
//
// It is an error if a recording has no digest, if Out names a group that does not exist, and if nothing is left to train
// or, with a Share or Out, nothing is held out.
func (h Holdout) Split(recordings []Identity) (Partition, error) {
	out, err := h.check(recordings)
	if err != nil {
		return Partition{}, err
	}
	d := newDivision(recordings, h.Seed)
	d.holdOut(h, out)
	d.validate(h.Validation)
	s := d.partition(h.Group != "" || len(h.Out) > 0)
	switch {
	case len(s.Train) == 0:
		return Partition{}, fmt.Errorf("dataset: holding out %s leaves nothing to train", strings.Join(h.Out, ", "))
	case len(s.HeldOut) == 0 && h.Share > 0:
		return Partition{}, errors.New("dataset: nothing can be held out: " + d.whyNothing(h.Group))
	}
	return s, nil
}

// check reports what is wrong with the rule or the recordings, and returns the groups of Out.
func (h Holdout) check(recordings []Identity) (out map[string]bool, err error) {
	if !(h.Share >= 0 && h.Share < 1) || !(h.Validation >= 0 && h.Validation < 1) {
		return nil, fmt.Errorf("dataset: share %v held out and %v for validation; both must be at least 0 and below 1", h.Share, h.Validation)
	}
	if len(recordings) == 0 {
		return nil, errors.New("dataset: no recordings to divide")
	}
	groups := map[string]bool{}
	for _, r := range recordings {
		if r.Digest == "" {
			return nil, fmt.Errorf("dataset: the recording %q has no digest", r.Source)
		}
		groups[r.Group] = true
	}
	delete(groups, "")
	out = map[string]bool{}
	field := h.Group
	for _, rule := range h.Out {
		name, group, ok := strings.Cut(rule, "=")
		if !ok || name == "" || group == "" {
			return nil, fmt.Errorf("dataset: hold out %q: want FIELD=GROUP, such as speaker=theo", rule)
		}
		if field = cmp.Or(field, name); field != name {
			return nil, fmt.Errorf("dataset: hold out %q: groups are made of the field %q", rule, field)
		}
		if !groups[group] {
			return nil, fmt.Errorf("dataset: hold out %q: there is no such group; there is %s", rule, listed(groups))
		}
		out[group] = true
	}
	return out, nil
}

// GroupField returns the field that names the groups of recordings: group, or where that is "" the field of the groups to
// hold out, as "speaker=theo". An error's message begins with "hold-out".
func GroupField(group string, out []string) (string, error) {
	for _, text := range out {
		field, value, ok := strings.Cut(text, "=")
		switch {
		case !ok || field == "" || value == "":
			return group, fmt.Errorf("hold-out %q is not FIELD=VALUE, such as speaker=theo", text)
		case group == "":
			group = field
		case group != field:
			return group, fmt.Errorf("hold-out %s: recordings are grouped by %s", text, group)
		}
	}
	return group, nil
}

// listed names up to twelve of a set, sorted.
func listed(set map[string]bool) string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return "none at all"
	case len(names) > 12:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:12], ", "), len(names)-12)
	}
	return strings.Join(names, ", ")
}

// byDigest returns indices in an order that depends on neither the recordings' order nor their names.
func byDigest(ids []Identity) []int {
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(strings.Compare(ids[a].Digest, ids[b].Digest), strings.Compare(ids[a].Label, ids[b].Label), strings.Compare(ids[a].Group, ids[b].Group))
	})
	return order
}

// unit is what goes to one side as a whole: a cluster, or groups and the clusters that join them.
type unit struct {
	key     string
	draw    float64  // the hash in [0, 1)
	labels  []string // sorted, each once
	members []int    // recordings
}

// newUnits makes units of the recordings' unit numbers, sorted by draw.
func newUnits(recordings []Identity, of []int, keys []string, seed uint64, purpose string) []*unit {
	units := make([]*unit, len(keys))
	for i, key := range keys {
		units[i] = &unit{key: key, draw: uniform(seed, purpose+"\x00"+key)}
	}
	for i, u := range of {
		units[u].members = append(units[u].members, i)
		units[u].labels = append(units[u].labels, recordings[i].Label)
	}
	for _, u := range units {
		slices.Sort(u.labels)
		u.labels = slices.Compact(u.labels)
	}
	slices.SortFunc(units, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(a.draw, b.draw), strings.Compare(a.key, b.key))
	})
	return units
}

// drawn divides units by their draw, and then moves as few as it must so that each label keeps a unit outside and has
// one inside. free are the units that may go either way, sorted by draw; wanted says which labels must have one inside.
func drawn(free []*unit, share float64, wanted func(label string) bool) (inside map[*unit]bool) {
	inside = map[*unit]bool{}
	if share == 0 {
		return inside
	}
	byLabel := map[string][]*unit{}
	for _, u := range free {
		inside[u] = u.draw < share
		for _, l := range u.labels {
			byLabel[l] = append(byLabel[l], u)
		}
	}
	labels := make([]string, 0, len(byLabel))
	for l := range byLabel {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	count := func(label string, in bool) (n int) {
		for _, u := range byLabel[label] {
			if inside[u] == in {
				n++
			}
		}
		return n
	}
	for _, l := range labels {
		if us := byLabel[l]; count(l, false) == 0 {
			inside[us[len(us)-1]] = false
		}
	}
	for _, l := range labels {
		if !wanted(l) || count(l, true) > 0 {
			continue
		}
		for _, u := range byLabel[l] {
			if !slices.ContainsFunc(u.labels, func(l string) bool { return !wanted(l) || count(l, false) < 2 }) {
				inside[u] = true
				break
			}
		}
	}
	return inside
}

// division is a split in the making.
type division struct {
	recordings []Identity
	seed       uint64
	cluster    []int    // of each recording
	keys       []string // of each cluster: its smallest digest
	side       []int    // of each recording
}

const (
	train = iota
	validation
	heldOut
)

func newDivision(recordings []Identity, seed uint64) *division {
	d := &division{recordings: recordings, seed: seed, side: make([]int, len(recordings))}
	d.cluster, d.keys = clusters(recordings)
	return d
}

// holdOut decides what is held out.
func (d *division) holdOut(h Holdout, out map[string]bool) {
	of, keys := d.cluster, d.keys
	if h.Group != "" && len(out) == 0 {
		of, keys = d.groups()
	}
	units := newUnits(d.recordings, of, keys, d.seed, "held out")
	var free []*unit
	for _, u := range units {
		if slices.ContainsFunc(u.members, func(i int) bool { return out[d.recordings[i].Group] }) {
			d.move(u, heldOut)
			continue
		}
		free = append(free, u)
	}
	inside := drawn(free, h.Share, func(string) bool { return true })
	for _, u := range free {
		if inside[u] {
			d.move(u, heldOut)
		}
	}
}

// validate decides what of the rest is for validation. Only labels of four or more clusters give one.
func (d *division) validate(share float64) {
	units := newUnits(d.recordings, d.cluster, d.keys, d.seed, "validation")
	clustersOf := map[string]int{}
	for _, u := range units {
		for _, l := range u.labels {
			clustersOf[l]++
		}
	}
	large := func(label string) bool { return clustersOf[label] >= 4 }
	var free []*unit
	for _, u := range units {
		switch {
		case d.side[u.members[0]] == heldOut:
		case !slices.ContainsFunc(u.labels, func(l string) bool { return !large(l) }):
			free = append(free, u)
		}
	}
	inside := drawn(free, share, large)
	for _, u := range free {
		if inside[u] {
			d.move(u, validation)
		}
	}
}

func (d *division) move(u *unit, side int) {
	for _, i := range u.members {
		d.side[i] = side
	}
}

// groups numbers the recordings' groups, joined where they share a cluster. A cluster without any group stands for
// itself.
func (d *division) groups() (of []int, keys []string) {
	parent := make([]int, len(d.keys)) // of clusters
	for c := range parent {
		parent[c] = c
	}
	root := func(c int) int {
		for parent[c] != c {
			c = parent[c]
		}
		return c
	}
	first := map[string]int{} // a cluster of each group
	for _, i := range byDigest(d.recordings) {
		group := d.recordings[i].Group
		if group == "" {
			continue
		}
		if c, known := first[group]; known {
			a, b := root(c), root(d.cluster[i])
			parent[max(a, b)] = min(a, b)
		} else {
			first[group] = d.cluster[i]
		}
	}
	names := map[int]string{} // the least group name of each joined unit
	for group, c := range first {
		if old, known := names[root(c)]; !known || group < old {
			names[root(c)] = group
		}
	}
	numbers := map[int]int{}
	of = make([]int, len(d.recordings))
	for _, i := range byDigest(d.recordings) {
		r := root(d.cluster[i])
		n, known := numbers[r]
		if !known {
			n = len(keys)
			numbers[r] = n
			key := "recording\x00" + d.keys[r]
			if name, grouped := names[r]; grouped {
				key = "group\x00" + name
			}
			keys = append(keys, key)
		}
		of[i] = n
	}
	return of, keys
}

// partition lists the sides.
func (d *division) partition(grouped bool) Partition {
	s := Partition{Cluster: d.cluster}
	known := map[string]bool{}
	for i, side := range d.side {
		switch side {
		case train:
			s.Train = append(s.Train, i)
		case validation:
			s.Validation = append(s.Validation, i)
		default:
			s.HeldOut = append(s.HeldOut, i)
		}
		if side != heldOut {
			known[d.recordings[i].Group] = true
		}
	}
	for _, i := range s.HeldOut {
		g := d.recordings[i].Group
		s.Unknown = append(s.Unknown, grouped && g != "" && !known[g])
	}
	return s
}

// whyNothing says why no label has anything to hold out.
func (d *division) whyNothing(group string) string {
	count := map[string]int{}
	alone := true
	for _, r := range d.recordings {
		count[r.Label]++
		alone = alone && count[r.Label] < 2
	}
	switch {
	case alone:
		return "every label has one recording alone"
	case group != "":
		return fmt.Sprintf("each label's recordings belong to one %s, or to several joined by near copies", group)
	}
	return "each label's recordings are near copies of one another"
}
