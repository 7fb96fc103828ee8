package monitor

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/timbre"
	"wavemill/internal/stats"
	"wavemill/internal/text"
	"wavemill/models"
	"wavemill/models/frontend"
)

// How many clips are measured as sounds. Phase reconstruction takes most of the time.
const (
	measuredSeconds = 24 // of sound at most, of previews and of recordings each
	measuredMost    = 6  // clips of a label
	measuredLeast   = 3  // clips of a label, without which nothing is said of it
	measuredLabels  = 16 // evenly chosen, where there are more
)

// measuredFrom is the part of the planned steps from which on the sounds of previews are measured: before, all of them are off.
const measuredFrom = 0.5

// A soundCheck compares the sounds of previews with those of recordings that went through the front end and back: what differs
// is the model's doing.
type soundCheck struct {
	front      *frontend.FrontEnd
	labels     []string
	recordings models.Batch // a few of each label
	measured   map[int][]timbre.Measures
}

// newSoundCheck keeps copies of a few clips of each label.
func newSoundCheck(front *frontend.FrontEnd, train models.Batch, labels []string) *soundCheck {
	s := &soundCheck{front: front, labels: labels}
	s.recordings = train.Select(models.Batch{}, s.chosen(train))
	return s
}

// chosen are the clips of a batch that are measured.
func (s *soundCheck) chosen(b models.Batch) []int {
	of := make([][]int, len(s.labels))
	for i, label := range b.Labels {
		of[label] = append(of[label], i)
	}
	count := min(len(of), measuredLabels)
	each := int(measuredSeconds / (float64(count) * max(s.front.Duration().Seconds(), 0.01)))
	each = min(max(each, measuredLeast), measuredMost)
	var out []int
	for k := range count {
		all := of[k*len(of)/count]
		n := min(each, len(all))
		for i := range n {
			out = append(out, all[i*len(all)/n])
		}
	}
	return out
}

// measure synthesises and measures clips of a batch, by label.
func (s *soundCheck) measure(ctx context.Context, b models.Batch, clips []int) (map[int][]timbre.Measures, error) {
	var sounds []audio.Clip
	var labels []int
	for _, i := range clips {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := s.front.Synthesize(b, i, uint64(i))
		if errors.Is(err, frontend.ErrSilent) {
			continue
		}
		if err != nil {
			return nil, err
		}
		sounds, labels = append(sounds, c), append(labels, b.Labels[i])
	}
	c := s.front.Config().Spectrogram
	out := map[int][]timbre.Measures{}
	for i, m := range timbre.All(sounds, float64(c.SampleRate)/float64(c.Hop)) {
		out[labels[i]] = append(out[labels[i]], m)
	}
	return out, nil
}

// warnings compares previews with recordings.
func (s *soundCheck) warnings(ctx context.Context, b models.Batch) ([]models.Warning, error) {
	if s.measured == nil {
		measured, err := s.measure(ctx, s.recordings, sequence(s.recordings.B))
		if err != nil {
			return nil, err
		}
		s.measured = measured
	}
	made, err := s.measure(ctx, b, s.chosen(b))
	if err != nil {
		return nil, err
	}
	var out []models.Warning
	for _, f := range faults(s.front.Config().Spectrogram) {
		var findings []string
		for label, name := range s.labels {
			if finding, found := f.compare(s.measured[label], made[label]); found {
				findings = append(findings, name+" "+finding)
			}
		}
		if len(findings) > 0 {
			out = append(out, models.Warning{Kind: f.kind, Finding: listed(findings), Advice: f.advice})
		}
	}
	return out, nil
}

// listed names a few findings and counts the others.
func listed(findings []string) string {
	const most = 3
	list := strings.Join(findings[:min(len(findings), most)], "; ")
	if more := len(findings) - most; more > 0 {
		list += "; " + text.Count(more, "more label", "more labels")
	}
	return list
}

func sequence(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// A fault is a difference between previews and recordings that an ear minds.
type fault struct {
	kind   string
	of     func(timbre.Measures) float64 // on a scale on which differences count
	low    float64                       // difference of the medians below which it is one
	high   float64                       // and above which
	say    func(made, recorded float64) string
	advice string
}

// ringing is the persistence from which on recordings ring: below, they hiss or are single tones.
const ringing = 0.3

// compare says what is wrong with the clips of one label: the medians differ by more than the limits and by more than three
// standard errors.
func (f fault) compare(recorded, made []timbre.Measures) (finding string, found bool) {
	before, after := defined(recorded, f.of), defined(made, f.of)
	if len(before) < measuredLeast || len(after) < measuredLeast {
		return "", false
	}
	was, is := stats.Median(before), stats.Median(after)
	difference := is - was
	if f.kind == KindPersistence && was < ringing {
		return "", false
	}
	if difference >= f.low && difference <= f.high || math.Abs(difference) < 3*math.Hypot(medianError(before), medianError(after)) {
		return "", false
	}
	return f.say(is, was), true
}

func defined(all []timbre.Measures, of func(timbre.Measures) float64) []float64 {
	var out []float64
	for _, m := range all {
		if v := of(m); !math.IsNaN(v) && !math.IsInf(v, 0) {
			out = append(out, v)
		}
	}
	return out
}

// medianError is the standard error of the median of values that are about normal, by their median absolute deviation.
func medianError(values []float64) float64 {
	median := stats.Median(values)
	off := make([]float64, len(values))
	for i, v := range values {
		off[i] = math.Abs(v - median)
	}
	return 1.2533 * 1.4826 * stats.Median(slices.Clone(off)) / math.Sqrt(float64(len(values)))
}
