package sounds

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/internal/atomicfile"
	"wavemill/models/sampling"
	"wavemill/operators/studio/web"
)

// A star is a clip that a person keeps: its bytes, under a name.
type star struct {
	ID      string             `json:"id"`
	Name    string             `json:"name"`
	Query   string             `json:"query"` // of the clip's address
	Created time.Time          `json:"created"`
	Facts   sampling.ClipFacts `json:"facts"`
}

// Limits of stars.
const (
	mostStars     = 10_000
	longestName   = 200 // bytes
	starsFileName = "stars.json"
)

// readStars returns the stars, oldest first.
func (l *Library) readStars() ([]star, error) {
	all := []star{}
	if l.o.Dir == "" {
		return all, nil
	}
	text, err := os.ReadFile(filepath.Join(l.o.Dir, starsFileName))
	if missing(err) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	return all, err
}

// changeStars replaces the stars by what f makes of them.
func (l *Library) changeStars(f func([]star) ([]star, error)) error {
	l.stars.Lock()
	defer l.stars.Unlock()
	all, err := l.readStars()
	if err == nil {
		all, err = f(all)
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(l.o.Dir, starsFileName), text, atomicfile.Options{})
}

func (l *Library) listStars(w http.ResponseWriter, _ *http.Request) error {
	l.stars.Lock()
	all, err := l.readStars()
	l.stars.Unlock()
	if err != nil {
		return err
	}
	return web.JSON(w, map[string]any{"stars": all})
}

// starName checks a name that a person gives.
func starName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if len(name) > longestName || !utf8.ValidString(name) {
		return "", web.Errorf(http.StatusBadRequest, "a name has at most %d bytes of UTF-8", longestName)
	}
	return name, nil
}

// addStar makes a clip and keeps it. A clip that is kept already is returned as it is.
func (l *Library) addStar(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Query string `json:"query"`
		Name  string `json:"name"`
	}
	if err := web.Read(w, r, &body); err != nil {
		return err
	}
	query, err := url.ParseQuery(body.Query)
	if err != nil {
		return web.Errorf(http.StatusBadRequest, "query is not that of an address")
	}
	a, err := ParseAsk(query)
	if err != nil {
		return err
	}
	name, err := starName(body.Name)
	if err != nil {
		return err
	}
	clip, err := l.make(r.Context(), a)
	if err != nil {
		return err
	}
	content, err := clip.WAV(wav.PCM16)
	if err != nil {
		return err
	}
	query.Set("model", clip.Model)
	sum := sha256.Sum256(content)
	s := star{ID: hex.EncodeToString(sum[:])[:idLength], Name: name, Query: query.Encode(), Created: time.Now().UTC(), Facts: clip.Facts()}
	if s.Name == "" {
		s.Name = fmt.Sprintf("%s %d", clip.Name(), clip.Seed)
	}
	dir, err := l.folder("stars")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, s.ID+".wav"), content, atomicfile.Options{}); err != nil {
		return err
	}
	err = l.changeStars(func(all []star) ([]star, error) {
		if i := indexOf(all, s.ID); i >= 0 {
			s = all[i]
			return all, nil
		}
		if len(all) >= mostStars {
			return nil, web.Errorf(http.StatusConflict, "there are %d stars; download and remove some", mostStars)
		}
		return append(all, s), nil
	})
	if err != nil {
		return err
	}
	return web.JSON(w, s)
}

func indexOf(all []star, id string) int {
	for i := range all {
		if all[i].ID == id {
			return i
		}
	}
	return -1
}

// noStar is the error of an id that no star has.
func noStar() error { return web.Errorf(http.StatusNotFound, "there is no such star") }

func (l *Library) renameStar(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Name string `json:"name"`
	}
	if err := web.Read(w, r, &body); err != nil {
		return err
	}
	name, err := starName(body.Name)
	if err != nil {
		return err
	}
	var s star
	err = l.changeStars(func(all []star) ([]star, error) {
		i := indexOf(all, r.PathValue("id"))
		if i < 0 {
			return nil, noStar()
		}
		all[i].Name = name
		s = all[i]
		return all, nil
	})
	if err != nil {
		return err
	}
	return web.JSON(w, s)
}

func (l *Library) removeStar(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	err := l.changeStars(func(all []star) ([]star, error) {
		i := indexOf(all, id)
		if i < 0 {
			return nil, noStar()
		}
		return append(all[:i], all[i+1:]...), nil
	})
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(l.o.Dir, "stars", id+".wav")); err != nil && !missing(err) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// starred answers with the bytes of a star.
func (l *Library) starred(w http.ResponseWriter, r *http.Request) error {
	l.stars.Lock()
	all, err := l.readStars()
	l.stars.Unlock()
	if err != nil {
		return err
	}
	i := indexOf(all, r.PathValue("id"))
	if i < 0 {
		return noStar()
	}
	content, err := os.ReadFile(filepath.Join(l.o.Dir, "stars", all[i].ID+".wav"))
	if err != nil {
		return err
	}
	web.Audio(w, "audio/wav", fileOf(all[i], nil), content)
	return nil
}

// fileOf is the name of a star's file; taken, where it is not nil, has the names that are used already.
func fileOf(s star, taken map[string]bool) string {
	stem := dataset.FileSlug(s.Name)
	name := stem + ".wav"
	if taken[name] {
		name = stem + "-" + s.ID[:8] + ".wav"
	}
	if taken != nil {
		taken[name] = true
	}
	return name
}

// archive answers with all stars as a zip: the WAV files and a manifest with a line of JSON for each, as `wavemill generate
// --json` prints it, with the name that the person has given.
func (l *Library) archive(w http.ResponseWriter, _ *http.Request) error {
	l.stars.Lock()
	all, err := l.readStars()
	l.stars.Unlock()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", web.Attachment("stars.zip"))
	h.Set("Cache-Control", "no-store")
	z := zip.NewWriter(w)
	var manifest []byte
	taken := map[string]bool{"manifest.jsonl": true}
	for _, s := range all {
		content, err := os.ReadFile(filepath.Join(l.o.Dir, "stars", s.ID+".wav"))
		if err != nil {
			return err
		}
		s.Facts.File = fileOf(s, taken)
		line, err := json.Marshal(struct {
			sampling.ClipFacts
			Name  string `json:"name"`
			Query string `json:"query"`
		}{s.Facts, s.Name, s.Query})
		if err != nil {
			return err
		}
		manifest = append(append(manifest, line...), '\n')
		if err := addFile(z, s.Facts.File, s.Created, content); err != nil {
			return err
		}
	}
	if err := addFile(z, "manifest.jsonl", time.Now(), manifest); err != nil {
		return err
	}
	return z.Close()
}

func addFile(z *zip.Writer, name string, at time.Time, content []byte) error {
	f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at})
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return err
}
