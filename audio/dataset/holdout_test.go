package dataset

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wavemill/audio"
	"wavemill/audio/fingerprint"
	"wavemill/audio/synth"
)

// noise returns 0.3 s of noise in the band that fingerprints are made of.
func noise(seed uint64) audio.Clip {
	rng := rand.New(rand.NewPCG(seed, 1))
	c := audio.Clip{Samples: make([]float32, 2400), Channels: 1, Rate: 8000}
	for i := range c.Samples {
		c.Samples[i] = float32(0.1 * rng.NormFloat64())
	}
	return c
}

func louder(c audio.Clip) audio.Clip {
	c.Samples = slices.Clone(c.Samples)
	for i := range c.Samples {
		c.Samples[i] *= 1.9
	}
	return c
}

func identity(c audio.Clip, label, group, source string) Identity {
	return Identity{Source: source, Label: label, Group: group, Digest: fingerprint.Digest(c), Print: fingerprint.Of(c)}
}

// sounds are 60 recordings and a louder copy of each.
func sounds() (all []Identity) {
	for i := range uint64(60) {
		all = append(all, identity(noise(i), "", "", ""), identity(louder(noise(i)), "", "", ""))
	}
	return all
}

// drawRecordings draws a set with copies, labels and groups; sound k has the copies 2k and 2k+1.
func drawRecordings(t *rapid.T, pool []Identity) []Identity {
	n := rapid.IntRange(2, 50).Draw(t, "recordings")
	labels := rapid.IntRange(1, 4).Draw(t, "labels")
	groups := rapid.IntRange(1, 6).Draw(t, "groups")
	ids := make([]Identity, n)
	for i := range ids {
		sound := rapid.IntRange(0, len(pool)-1).Draw(t, "sound")
		ids[i] = pool[sound]
		ids[i].Source = fmt.Sprintf("file %d", i)
		ids[i].Label = fmt.Sprintf("label %d", rapid.IntRange(0, labels-1).Draw(t, "label"))
		ids[i].Group = fmt.Sprintf("group %d", rapid.IntRange(0, groups-1).Draw(t, "group"))
	}
	return ids
}

// sides returns the side of each recording: 't', 'v' or 'h'.
func sides(t *rapid.T, p Partition, n int) []byte {
	side := make([]byte, n)
	for name, list := range map[byte][]int{'t': p.Train, 'v': p.Validation, 'h': p.HeldOut} {
		if !slices.IsSorted(list) {
			t.Fatalf("%c: %v is not ascending", name, list)
		}
		for _, i := range list {
			if side[i] != 0 {
				t.Fatalf("recording %d is on two sides", i)
			}
			side[i] = name
		}
	}
	if slices.Contains(side, 0) || len(p.Unknown) != len(p.HeldOut) || len(p.Cluster) != n {
		t.Fatalf("not every recording is on a side: %q %+v", side, p)
	}
	return side
}

// TestHoldoutProperties draws sets and rules, and checks what Split promises of each.
func TestHoldoutProperties(t *testing.T) {
	pool := sounds()
	rapid.Check(t, func(t *rapid.T) {
		ids := drawRecordings(t, pool)
		h := Holdout{
			Share: rapid.SampledFrom([]float64{0.1, 0.3, 0.7}).Draw(t, "share"), Validation: rapid.SampledFrom([]float64{0, 0.05, 0.5}).Draw(t, "validation"),
			Seed: rapid.Uint64().Draw(t, "seed"), Group: rapid.SampledFrom([]string{"", "speaker"}).Draw(t, "group"),
		}
		if rapid.Bool().Draw(t, "out") {
			h.Out = []string{"speaker=" + ids[0].Group}
		}
		p, err := h.Split(ids)
		if err != nil {
			if !strings.Contains(err.Error(), "nothing") {
				t.Fatal(err)
			}
			return
		}
		side := sides(t, p, len(ids))
		checkWhole(t, h, ids, side)
		checkLabels(t, h, ids, side, p)

		// Order, names and copies under other labels do not matter.
		order := rapid.Permutation(indices(len(ids))).Draw(t, "order")
		shuffled := make([]Identity, len(ids))
		for to, from := range order {
			shuffled[to] = ids[from]
			shuffled[to].Source = fmt.Sprint("renamed ", to)
		}
		q, err := h.Split(shuffled)
		if err != nil {
			t.Fatal(err)
		}
		for to, s := range sides(t, q, len(ids)) {
			if s != side[order[to]] {
				t.Fatalf("recording %d is on side %c, reordered and renamed on %c", order[to], side[order[to]], s)
			}
		}
	})
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// checkWhole checks that copies stay together, and groups on one side of the border of what is held out.
func checkWhole(t *rapid.T, h Holdout, ids []Identity, side []byte) {
	whole := h.Group != "" && len(h.Out) == 0
	for i, a := range ids {
		for j, b := range ids[:i] {
			if side[i] != side[j] && (a.Digest == b.Digest || fingerprint.Similar(a.Print, b.Print)) {
				t.Fatalf("copies %d and %d are on sides %c and %c", j, i, side[j], side[i])
			}
			if whole && a.Group == b.Group && (side[i] == 'h') != (side[j] == 'h') {
				t.Fatalf("%s is on both sides", a.Group)
			}
		}
		if len(h.Out) > 0 && h.Out[0] == "speaker="+a.Group && side[i] != 'h' {
			t.Fatalf("recording %d of %s is on side %c", i, a.Group, side[i])
		}
	}
}

// checkLabels checks the promises by label, for labels that share no cluster and no group with others.
func checkLabels(t *rapid.T, h Holdout, ids []Identity, side []byte, p Partition) {
	labelsOf := map[int]map[string]bool{}
	for i, c := range p.Cluster {
		if labelsOf[c] == nil {
			labelsOf[c] = map[string]bool{}
		}
		labelsOf[c][ids[i].Label] = true
	}
	for label := range labelsByName(ids) {
		units, inTrain, inValidation, inHeld, alone := map[int]bool{}, 0, 0, 0, true
		for i, id := range ids {
			if id.Label != label {
				continue
			}
			units[p.Cluster[i]] = true
			alone = alone && len(labelsOf[p.Cluster[i]]) == 1
			inTrain += count(side[i] == 't')
			inValidation += count(side[i] == 'v')
			inHeld += count(side[i] == 'h')
		}
		if inTrain == 0 && len(h.Out) == 0 {
			t.Fatalf("%s has nothing to train", label)
		}
		if len(units) < 4 && inValidation > 0 {
			t.Fatalf("%s has %d clusters, and %d recordings for validation", label, len(units), inValidation)
		}
		if !alone || h.Group != "" || len(h.Out) > 0 {
			continue
		}
		if len(units) >= 2 && inHeld == 0 {
			t.Fatalf("%s has %d clusters, and nothing held out", label, len(units))
		}
		if free := len(units) >= 4 && h.Validation > 0; free && inValidation == 0 && h.Share < 0.5 && inTrain > 1 && trainClusters(ids, side, p, label) > 1 {
			t.Fatalf("%s has %d clusters, and nothing for validation", label, len(units))
		}
	}
}

func trainClusters(ids []Identity, side []byte, p Partition, label string) int {
	seen := map[int]bool{}
	for i, id := range ids {
		if id.Label == label && side[i] == 't' {
			seen[p.Cluster[i]] = true
		}
	}
	return len(seen)
}

func labelsByName(ids []Identity) map[string]bool {
	all := map[string]bool{}
	for _, id := range ids {
		all[id.Label] = true
	}
	return all
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// many returns n recordings of each label without fingerprints.
func many(labels, n int) []Identity {
	var ids []Identity
	for l := range labels {
		for i := range n {
			ids = append(ids, Identity{Source: strconv.Itoa(i), Label: fmt.Sprint("label ", l), Group: fmt.Sprint("group ", i%6), Digest: fmt.Sprintf("%032x", l*100000+i)})
		}
	}
	return ids
}

// TestHoldoutStable adds recordings and checks that none of the others moves.
func TestHoldoutStable(t *testing.T) {
	ids := many(3, 400)
	h := DefaultHoldout(5)
	before, err := h.Split(ids[:1100])
	if err != nil {
		t.Fatal(err)
	}
	after, err := h.Split(ids)
	if err != nil {
		t.Fatal(err)
	}
	for name, lists := range map[string][2][]int{"train": {before.Train, after.Train}, "validation": {before.Validation, after.Validation}, "held out": {before.HeldOut, after.HeldOut}} {
		old := slices.DeleteFunc(lists[1], func(i int) bool { return i >= 1100 })
		if !slices.Equal(lists[0], old) {
			t.Errorf("%s: recordings moved when others were added", name)
		}
	}
	if n := len(before.HeldOut); n < 80 || n > 140 {
		t.Errorf("%d of 1100 held out, want about a tenth", n)
	}
	if n := len(before.Validation); n < 30 || n > 80 {
		t.Errorf("%d of 1100 for validation, want about a twentieth of the rest", n)
	}
	other, err := DefaultHoldout(6).Split(ids)
	if err != nil || slices.Equal(other.HeldOut, after.HeldOut) {
		t.Errorf("another seed holds out the same (%v)", err)
	}
}

// TestHoldoutGroups holds out whole speakers.
func TestHoldoutGroups(t *testing.T) {
	ids := many(3, 60)
	for seed := range uint64(30) {
		h := DefaultHoldout(seed)
		h.Group = "speaker"
		p, err := h.Split(ids)
		if err != nil {
			t.Fatal(err)
		}
		held := map[string]int{}
		for k, i := range p.HeldOut {
			held[ids[i].Group]++
			if !p.Unknown[k] {
				t.Errorf("seed %d: recording %d of a speaker held out is said to be known", seed, i)
			}
		}
		if len(held) == 0 || len(held) > 4 {
			t.Errorf("seed %d: %d of 6 speakers held out", seed, len(held))
		}
		for g, n := range held {
			if n != 30 {
				t.Errorf("seed %d: %d of the 30 recordings of %s held out", seed, n, g)
			}
		}
	}

	h := DefaultHoldout(1)
	h.Out = []string{"speaker=group 2", "speaker=group 4"}
	p, err := h.Split(ids)
	if err != nil {
		t.Fatal(err)
	}
	known, unknown := 0, 0
	for k, i := range p.HeldOut {
		named := ids[i].Group == "group 2" || ids[i].Group == "group 4"
		if named != p.Unknown[k] {
			t.Errorf("recording %d of %s: unknown %v", i, ids[i].Group, p.Unknown[k])
		}
		unknown += count(named)
		known += count(!named)
	}
	if unknown != 60 || known < 3 || known > 30 {
		t.Errorf("held out are %d recordings of the named speakers, want 60, and %d of the others, want about 12", unknown, known)
	}

	// A copy of a speaker's recording under another speaker's name goes with it.
	ids[1].Digest = ids[2].Digest
	if p, err = h.Split(ids); err != nil || !slices.Contains(p.HeldOut, 1) {
		t.Errorf("a copy of a recording held out is trained on (%v)", err)
	}
}

func TestHoldoutRefuses(t *testing.T) {
	alone := many(3, 1)
	copies := append(many(2, 1), many(2, 1)...)
	speakers := many(2, 12)
	for i := range speakers {
		speakers[i].Group = speakers[i].Label
	}
	for name, tc := range map[string]struct {
		h    Holdout
		ids  []Identity
		want string
	}{
		"no recordings":      {DefaultHoldout(1), nil, "no recordings"},
		"share":              {Holdout{Share: 1}, alone, "below 1"},
		"negative":           {Holdout{Share: 0.1, Validation: -1}, alone, "at least 0"},
		"no digest":          {DefaultHoldout(1), []Identity{{Source: "x.wav"}}, `"x.wav" has no digest`},
		"one of each label":  {DefaultHoldout(1), alone, "every label has one recording alone"},
		"copies alone":       {DefaultHoldout(1), copies, "near copies of one another"},
		"one group a label":  {Holdout{Share: 0.1, Group: "speaker"}, speakers, "belong to one speaker"},
		"no such group":      {Holdout{Out: []string{"speaker=theo"}}, many(1, 12), "no such group; there is group 0, group 1"},
		"no groups":          {Holdout{Out: []string{"speaker=theo"}}, []Identity{{Digest: "1"}}, "there is none at all"},
		"no field":           {Holdout{Out: []string{"theo"}}, alone, "want FIELD=GROUP"},
		"another field":      {Holdout{Group: "room", Out: []string{"speaker=group 0"}}, alone, `groups are made of the field "room"`},
		"two fields":         {Holdout{Out: []string{"speaker=group 0", "room=group 0"}}, alone, `groups are made of the field "speaker"`},
		"everything is out":  {Holdout{Out: []string{"speaker=group 0"}}, alone, "leaves nothing to train"},
		"not a number share": {Holdout{Share: nan()}, alone, "below 1"},
	} {
		if _, err := tc.h.Split(tc.ids); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	if p, err := (Holdout{}).Split(alone); err != nil || len(p.Train) != 3 {
		t.Errorf("nothing to hold out: %+v, %v", p, err)
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

// What is held out is not found among what is learnt, also where a Matcher finds one of two copies by the other and not the other
// by the one, as among these sweeps.
func TestHeldOutIsNotFoundAmongLearnt(t *testing.T) {
	var ids []Identity
	for i := range 60 {
		c, err := (synth.Set{Seed: 1, Rate: 22050}).Clip("chirp", i+50)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, identity(c, "chirp", "", strconv.Itoa(i+50)))
	}
	for seed := range uint64(20) {
		p, err := Holdout{Share: 0.3, Seed: seed}.Split(ids)
		if err != nil {
			t.Fatal(err)
		}
		var learnt, heldOut []Identity
		for _, i := range p.Train {
			learnt = append(learnt, ids[i])
		}
		for _, i := range p.HeldOut {
			heldOut = append(heldOut, ids[i])
		}
		among := NewMatcher(learnt)
		for _, id := range heldOut {
			if which, ok := among.Contains(id); ok {
				t.Errorf("seed %d: %s is held out, and found as %s among what is learnt", seed, id.Source, learnt[which].Source)
			}
		}
	}
	a, b := ids[6], ids[50] // 56 and 100
	_, there := NewMatcher([]Identity{b}).Contains(a)
	if _, back := NewMatcher([]Identity{a}).Contains(b); there == back {
		t.Errorf("%s and %s are found from both sides or none (%v): this tests nothing", a.Source, b.Source, there)
	}
}

func TestMatcher(t *testing.T) {
	learnt := []Identity{identity(noise(1), "a", "", "1.wav"), identity(noise(2), "b", "", "2.wav"), {Source: "silence", Digest: "00"}}
	m := NewMatcher(learnt)
	for name, tc := range map[string]struct {
		id    Identity
		which int
		ok    bool
	}{
		"itself":           {learnt[1], 1, true},
		"renamed":          {identity(noise(1), "other", "group", "new.wav"), 0, true},
		"louder":           {identity(louder(noise(2)), "a", "", "x"), 1, true},
		"digest alone":     {Identity{Digest: "00"}, 2, true},
		"another":          {identity(noise(3), "a", "", "1.wav"), 0, false},
		"another, silent":  {Identity{Digest: "01"}, 0, false},
		"nothing known":    {Identity{}, 0, false},
		"print, no digest": {Identity{Print: learnt[1].Print}, 1, true},
	} {
		if which, ok := m.Contains(tc.id); which != tc.which || ok != tc.ok {
			t.Errorf("%s: %d, %v; want %d, %v", name, which, ok, tc.which, tc.ok)
		}
	}
}

// TestIdentityJSON holds the names that checkpoints use.
func TestIdentityJSON(t *testing.T) {
	b, err := json.Marshal(Identity{Source: "a.wav", Label: "x", Digest: "12"})
	if want := `{"source":"a.wav","label":"x","digest":"12"}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
	id := identity(noise(1), "x", "ann", "a.wav")
	b, err = json.Marshal(id)
	if err != nil || !strings.Contains(string(b), `"group":"ann"`) || !strings.Contains(string(b), `"print":"`) {
		t.Errorf("%s, %v", b, err)
	}
	var back Identity
	if err := json.Unmarshal(b, &back); err != nil || back != id {
		t.Errorf("read back as %+v, %v", back, err)
	}
}
