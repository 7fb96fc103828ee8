package sampling_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"wavemill/models/sampling"
)

// TestPlanValidate checks what is refused whatever the model. Errors begin with the field's name.
func TestPlanValidate(t *testing.T) {
	two, clips := []string{"three,seven"}, []string{"a.wav", "b.wav", "c.wav"}
	for want, p := range map[string]sampling.Plan{
		"label is missing": {},
		"temperature 11":   {Labels: two, Temperature: new(11.0)},
		"temperature NaN":  {Labels: two, Temperature: new(math.NaN())},
		"mix is one point": {Labels: two, Mix: new(0.5), Interpolate: new(3)},
		"mix 1.5":          {Labels: two, Mix: new(1.5)},
		"mix NaN":          {Labels: two, Mix: new(math.NaN())},
		"interpolate 1:":   {Labels: two, Interpolate: new(1)},
		"interpolate 1000": {Labels: two, Interpolate: new(sampling.MaxInterpolate + 1)},
		"strength applies to variations of a given clip": {Labels: two, Strength: new(0.5)},
		"strength 1.5": {Likes: clips[:1], Strength: new(1.5)},
		"strength applies to variations of a clip,": {Likes: clips[:2], Strength: new(0.5), Mix: new(0.5)},
		"like names 3 clips":                        {Likes: clips[:3], Mix: new(0.5)},
	} {
		if err := p.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
	for _, p := range []sampling.Plan{
		{Labels: two},
		{Likes: clips[:3]},
		{Labels: two, Mix: new(0.0)},
		{Likes: clips[:2], Interpolate: new(2)},
		{Likes: clips[:1], Strength: new(1.0)},
		{Labels: two, Temperature: new(0.0)},
	} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// TestPlanSelect checks the number of labels against that of given clips.
func TestPlanSelect(t *testing.T) {
	known, clips := []string{"three", "seven", "nine"}, []string{"a.wav", "b.wav"}
	for _, c := range []struct {
		plan sampling.Plan
		want string // labels, or the error
	}{
		{sampling.Plan{Labels: []string{"all"}}, "three,seven,nine"},
		{sampling.Plan{Labels: []string{"nine,three"}, Mix: new(0.5)}, "nine,three"},
		{sampling.Plan{Likes: clips[:2]}, ""},
		{sampling.Plan{Labels: []string{"nine"}, Likes: clips[:2]}, "nine"},
		{sampling.Plan{Labels: []string{"nine,three"}, Likes: clips[:2]}, "nine,three"},
		{sampling.Plan{Labels: []string{"nine,three"}, Likes: clips[:1], Interpolate: new(3)}, "nine,three"},
		{sampling.Plan{Labels: []string{"nine"}, Mix: new(0.5)}, "label names 1 labels"},
		{sampling.Plan{Labels: []string{"all"}, Mix: new(0.5)}, "label names 3 labels"},
		{sampling.Plan{Likes: clips[:1], Mix: new(0.5)}, "label names 0 labels: with one given clip"},
		{sampling.Plan{Labels: []string{"nine,three"}, Likes: clips[:1]}, "label names 2 labels for one given clip"},
		{sampling.Plan{Labels: []string{"all"}, Likes: clips[:2]}, "label names 3 labels for 2 given clips"},
	} {
		got, err := c.plan.Select(known)
		text := strings.Join(got, ",")
		if err != nil {
			text = err.Error()
		}
		if err == nil && text != c.want || err != nil && (c.want == "" || !strings.HasPrefix(text, c.want)) {
			t.Errorf("%+v: %s, want %s", c.plan, text, c.want)
		}
	}
	_, err := sampling.Plan{Labels: []string{"horn"}}.Select(known)
	if unknown, ok := errors.AsType[*sampling.LabelError](err); !ok || unknown.Label != "horn" {
		t.Errorf("an unknown label: %v", err)
	}
}

// TestPlanKinds checks the kinds of a plan and the order of their clips.
func TestPlanKinds(t *testing.T) {
	a, b := sampling.Reference{Label: "three", Like: &sampling.Source{File: "a.wav"}}, sampling.Reference{Label: "seven", Like: &sampling.Source{File: "b.wav"}}
	two := []string{"three", "seven"}
	for _, c := range []struct {
		plan  sampling.Plan
		likes []sampling.Reference
		want  string // the first two files of each kind
	}{
		{sampling.Plan{}, nil, "three_9.wav three_10.wav seven_9.wav seven_10.wav"},
		{sampling.Plan{}, []sampling.Reference{a, b}, "three_like-a_0.4_9.wav three_like-a_0.4_10.wav seven_like-b_0.4_9.wav seven_like-b_0.4_10.wav"},
		{sampling.Plan{Strength: new(0.0)}, []sampling.Reference{a}, "three_like-a_0_9.wav three_like-a_0_10.wav"},
		{sampling.Plan{Mix: new(0.5)}, nil, "three-seven_0.5_9.wav three-seven_0.5_10.wav"},
		{sampling.Plan{Interpolate: new(2)}, []sampling.Reference{a}, "three-seven_like-a_0.000_9.wav three-seven_like-a_1.000_9.wav three-seven_like-a_0.000_10.wav three-seven_like-a_1.000_10.wav"},
		{sampling.Plan{Interpolate: new(2)}, []sampling.Reference{a, b}, "three-seven_like-a-to-b_0.000_9.wav three-seven_like-a-to-b_1.000_9.wav three-seven_like-a-to-b_0.000_10.wav three-seven_like-a-to-b_1.000_10.wav"},
	} {
		kinds, err := c.plan.Kinds(two, c.likes)
		if err != nil {
			t.Fatal(err)
		}
		ps, kindOf := c.plan.Series(kinds, 9, 2)
		var files []string
		for i, p := range ps {
			files = append(files, kindOf(i).FileName(p.Seed))
		}
		if want := strings.Fields(c.want); !slices.Equal(files, want) {
			t.Errorf("%+v: %q, want %q", c.plan, files, want)
		}
	}
	if _, err := (sampling.Plan{}).Kinds(two, []sampling.Reference{a, a}); err == nil || !strings.Contains(err.Error(), "two different clips would be written") {
		t.Errorf("the same clip twice: %v", err)
	}
}
