package sounds

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"path"
	"slices"
	"strconv"
	"sync"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/models/frontend"
	"wavemill/operators/studio/web"
)

// recordings are those that clips are compared with, once they have been read.
type recordings struct {
	mu   sync.Mutex
	read bool
	all  []dataset.Recording
}

// noRecordings is the error where there is nothing to compare with.
func noRecordings() error {
	return web.Errorf(http.StatusConflict, "no recordings were given; begin the studio with --data")
}

// known returns the recordings, and reads them at the first call.
func (l *Library) known(ctx context.Context) ([]dataset.Recording, error) {
	if l.o.Recordings == nil {
		return nil, noRecordings()
	}
	l.recordings.mu.Lock()
	defer l.recordings.mu.Unlock()
	if l.recordings.read {
		return l.recordings.all, nil
	}
	all, err := l.o.Recordings(ctx)
	if err != nil {
		return nil, err
	}
	l.recordings.all = slices.DeleteFunc(dataset.Usable(all), func(r dataset.Recording) bool { return frontend.Usable(r.Clip) != nil })
	l.recordings.read = true
	return l.recordings.all, nil
}

// recordingView is a recording as the page sees it.
type recordingView struct {
	N        int     `json:"n"`
	Label    string  `json:"label"`
	Name     string  `json:"name"`
	Seconds  float64 `json:"seconds"`
	Distance float64 `json:"distance,omitempty"` // dB
}

func viewOf(n int, r dataset.Recording) recordingView {
	return recordingView{N: n, Label: r.Label, Name: path.Base(r.Name), Seconds: r.Clip.Duration().Seconds()}
}

func (l *Library) listRecordings(w http.ResponseWriter, r *http.Request) error {
	all, err := l.known(r.Context())
	if err != nil {
		return err
	}
	views := make([]recordingView, len(all))
	for i := range all {
		views[i] = viewOf(i, all[i])
	}
	return web.JSON(w, map[string]any{"recordings": views})
}

// recording answers with one recording as a 16-bit WAV file.
func (l *Library) recording(w http.ResponseWriter, r *http.Request) error {
	all, err := l.known(r.Context())
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(all) {
		return web.Errorf(http.StatusNotFound, "there is no such recording")
	}
	content, err := encode(all[n].Clip)
	if err != nil {
		return err
	}
	name := path.Base(all[n].Name)
	web.Audio(w, "audio/wav", name[:len(name)-len(path.Ext(name))]+".wav", content)
	return nil
}

func encode(c audio.Clip) ([]byte, error) { return wav.Encode(c, wav.Options{}) }

// Limits of a search.
const (
	mostNearest  = 20
	usualNearest = 5
	mostCompared = 20_000 // recordings: as many spectrograms are kept in memory
)

// nearest answers with the recordings whose spectrograms differ the least from that of a clip: the root of the mean squared
// difference of the logarithmic magnitudes in dB, as the model's front end sees both.
func (l *Library) nearest(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	n := usualNearest
	if text := query.Get("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > mostNearest {
			return web.Errorf(http.StatusBadRequest, "n: %q is no number from 1 to %d", text, mostNearest)
		}
	}
	query.Del("n")
	a, err := ParseAsk(query)
	if err != nil {
		return err
	}
	all, err := l.known(r.Context())
	if err != nil {
		return err
	}
	m, err := l.find(a.Model)
	if err != nil {
		return err
	}
	clip, err := l.make(r.Context(), a)
	if err != nil {
		return err
	}
	heard, err := clip.Decoded()
	if err != nil {
		return err
	}
	front, err := frontend.New(m.sampler.FrontEnd())
	if err != nil {
		return err
	}
	mine, _, err := front.Analyze(heard)
	if err != nil {
		return web.Refused(err)
	}
	if err := m.analyse(r.Context(), front, all); err != nil {
		return err
	}
	s := m.sampler.FrontEnd().Spectrogram
	span := (s.Max - s.Min) / math.Ln10 * 20 / 2 // dB for each unit of the values, which go from -1 to 1
	var found []recordingView
	for i, s := range m.spectra {
		if s != nil {
			v := viewOf(i, all[i])
			v.Distance = span * rms(mine.Data, s)
			found = append(found, v)
		}
	}
	slices.SortStableFunc(found, func(a, b recordingView) int { return cmp.Compare(a.Distance, b.Distance) })
	return web.JSON(w, map[string]any{"nearest": found[:min(n, len(found))], "compared": len(found)})
}

// analyse computes the spectrograms of recordings, once for each model.
func (m *model) analyse(ctx context.Context, front *frontend.FrontEnd, all []dataset.Recording) error {
	m.near.Lock()
	defer m.near.Unlock()
	if m.spectra != nil {
		return nil
	}
	specs, _, err := front.AnalyzeAll(ctx, dataset.Clips(all[:min(len(all), mostCompared)]))
	if err != nil {
		return err
	}
	spectra := make([][]float32, len(specs))
	for i, s := range specs {
		if s != nil {
			spectra[i] = s.Data
		}
	}
	m.spectra = spectra
	return nil
}

func rms(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v - b[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(max(len(a), 1)))
}
