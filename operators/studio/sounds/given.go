package sounds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"unicode/utf8"

	"wavemill/audio/codec"
	"wavemill/internal/atomicfile"
	"wavemill/models/sampling"
	"wavemill/operators/studio/web"
)

// givenLimit is the most bytes of a given clip: a minute of stereo at 48 kHz in 32-bit floats.
const givenLimit = 24 << 20

// givenName is what is kept beside a given clip.
type givenName struct {
	Name string `json:"name"`
}

// give stores a clip, to make variations of it. The answer is its id, which depends on its content alone.
func (l *Library) give(w http.ResponseWriter, r *http.Request) error {
	content, err := web.Bytes(w, r, givenLimit)
	if err != nil {
		return err
	}
	name, err := web.CleanPath(r.URL.Query().Get("name"))
	if err != nil {
		return err
	}
	name = filepath.Base(name)
	if !utf8.ValidString(name) {
		return web.Errorf(http.StatusBadRequest, "the name is no UTF-8")
	}
	clip, info, err := codec.Decode(r.Context(), name, content)
	if err != nil {
		return web.Refused(err)
	}
	dir, err := l.folder("given")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	id := hex.EncodeToString(sum[:])[:idLength]
	if err := atomicfile.Write(filepath.Join(dir, id), content, atomicfile.Options{}); err != nil {
		return err
	}
	// The first name stays: it is part of the clips that were made of this one.
	names := filepath.Join(dir, id+".json")
	if _, err := os.Stat(names); missing(err) {
		text, err := json.Marshal(givenName{name})
		if err == nil {
			err = atomicfile.Write(names, text, atomicfile.Options{})
		}
		if err != nil {
			return err
		}
	}
	label := ""
	if m, err := l.find(r.URL.Query().Get("model")); err == nil {
		label = m.labelOf(name, info.Tags["INAM"])
	}
	return web.JSON(w, map[string]any{"id": id, "name": name, "label": label, "seconds": clip.Duration().Seconds()})
}

// readGiven returns a given clip and its name.
func (l *Library) readGiven(id string) (content []byte, name string, err error) {
	gone := web.Errorf(http.StatusNotFound, "this given clip is not stored here; give it again")
	if !isID(id) || l.o.Dir == "" {
		return nil, "", gone
	}
	path := filepath.Join(l.o.Dir, "given", id)
	if content, err = os.ReadFile(path); err != nil {
		if missing(err) {
			err = gone
		}
		return nil, "", err
	}
	var n givenName
	text, err := os.ReadFile(path + ".json")
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	return content, n.Name, err
}

// given answers with a given clip.
func (l *Library) given(w http.ResponseWriter, r *http.Request) error {
	content, name, err := l.readGiven(r.PathValue("id"))
	if err != nil {
		return err
	}
	web.Audio(w, codec.MediaType(name), name, content)
	return nil
}

// mostSources bounds how many encoded clips are remembered.
const mostSources = 256

// source encodes a given clip as one of a label.
func (l *Library) source(ctx context.Context, m *model, id, label string) (*sampling.Source, error) {
	key := m.sampler.Digest + "/" + id + "/" + label
	l.mu.RLock()
	known := l.likes[key]
	l.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	content, name, err := l.readGiven(id)
	if err != nil {
		return nil, err
	}
	clip, _, err := codec.Decode(ctx, name, content)
	if err != nil {
		return nil, err
	}
	source, _, err := m.sampler.Encode(ctx, clip, label)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	source.File, source.SHA256 = name, hex.EncodeToString(sum[:])
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.likes) >= mostSources {
		clear(l.likes)
	}
	l.likes[key] = source
	return source, nil
}

// labelOf is the label of the model that a file's name or title contains; "" for none.
func (m *model) labelOf(name, title string) string {
	label, err := m.sampler.LabelOfName(name, title)
	if err != nil {
		return ""
	}
	return label
}
