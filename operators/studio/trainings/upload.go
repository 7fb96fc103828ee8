package trainings

import (
	"archive/zip"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"wavemill/audio/codec"
	"wavemill/operators/studio/web"
)

// Limits of uploads.
const (
	fileLimit   = 256 << 20 // bytes of one file, or of one zip
	uploadLimit = 4 << 30   // bytes of all files of one upload, unpacked
	filesLimit  = 50_000    // files of one upload
	zipLimit    = 1 << 30   // bytes of a zip
)

// An upload is a folder of recordings that a browser sends.
type upload struct {
	ID    string `json:"id"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// newID returns an id that is also a file name.
func newID() string {
	raw := make([]byte, 8)
	_, _ = rand.Read(raw) // It never fails.
	return hex.EncodeToString(raw)
}

// isID reports whether a text is such an id.
func isID(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == 16
}

// beginUpload makes the folder of an upload.
func (m *Manager) beginUpload(w http.ResponseWriter, _ *http.Request) error {
	u := &upload{ID: newID()}
	if err := os.MkdirAll(m.uploadDir(u.ID), 0o755); err != nil {
		return err
	}
	m.mu.Lock()
	m.uploads[u.ID] = u
	m.mu.Unlock()
	return web.JSON(w, u)
}

func (m *Manager) uploadDir(id string) string { return filepath.Join(m.o.Dir, "uploads", id) }

// find returns an upload by its id.
func (m *Manager) findUpload(id string) (*upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.uploads[id]
	if u == nil {
		return nil, web.Errorf(http.StatusNotFound, "there is no such upload; begin a new one")
	}
	return u, nil
}

// takeFile stores one file of an upload, or unpacks it where it is a zip. Files whose names are not those of audio or of
// tables of labels are passed over.
func (m *Manager) takeFile(w http.ResponseWriter, r *http.Request) error {
	u, err := m.findUpload(r.PathValue("id"))
	if err != nil {
		return err
	}
	name, err := web.CleanPath(r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(m.uploadDir(u.ID)) // No name leads out of it, whatever the file system makes of it.
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // It is only read from.
	if strings.EqualFold(path.Ext(name), ".zip") {
		err = m.unpack(u, root, http.MaxBytesReader(w, r.Body, zipLimit))
	} else {
		err = m.store(u, root, name, http.MaxBytesReader(w, r.Body, fileLimit))
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return web.JSON(w, u)
}

// isWanted reports whether a file is stored: audio, and tables of labels.
func isWanted(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" {
			return false
		}
	}
	ext := strings.ToLower(path.Ext(name))
	return codec.IsAudioName(name) || ext == ".csv" || ext == ".tsv" || ext == ".jsonl"
}

// store writes a file of an upload. The bytes count as they arrive: what a header or a zip promises is not believed.
func (m *Manager) store(u *upload, root *os.Root, name string, content io.Reader) (err error) {
	if !isWanted(name) {
		return nil
	}
	if err := m.reserve(u, 1, 0); err != nil {
		return err
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return web.Refused(err)
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return web.Refused(err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, root.Remove(name))
		}
	}()
	_, err = io.Copy(f, &counted{content, func(n int) error { return m.reserve(u, 0, int64(n)) }})
	return err
}

// counted calls a function with the bytes of each read.
type counted struct {
	from io.Reader
	took func(int) error
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	if full := c.took(n); full != nil {
		return n, full
	}
	return n, err
}

// reserve counts files and bytes of an upload, and refuses those beyond its limits.
func (m *Manager) reserve(u *upload, files int, size int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u.Files+files > filesLimit || u.Bytes+size > uploadLimit {
		return web.Errorf(http.StatusRequestEntityTooLarge, "an upload has at most %d files and %d GiB", filesLimit, int64(uploadLimit)>>30)
	}
	u.Files += files
	u.Bytes += size
	return nil
}

// unpack stores the entries of a zip. An entry with a name that leaves the folder refuses the whole zip; entries that are no
// plain files are passed over.
func (m *Manager) unpack(u *upload, root *os.Root, content io.Reader) (err error) {
	f, err := os.CreateTemp(m.o.Dir, "zip-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	size, err := io.Copy(f, content)
	if err != nil {
		return err
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return web.Errorf(http.StatusBadRequest, "this is no zip file: %v", err)
	}
	names := make([]string, len(z.File))
	for i, entry := range z.File {
		if entry.FileInfo().IsDir() {
			continue
		}
		if names[i], err = web.CleanPath(entry.Name); err != nil {
			return err
		}
	}
	for i, entry := range z.File {
		if entry.Mode()&fs.ModeType != 0 || names[i] == "" || !isWanted(names[i]) {
			continue
		}
		if err := m.unpackOne(u, root, names[i], entry); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) unpackOne(u *upload, root *os.Root, name string, entry *zip.File) error {
	content, err := entry.Open()
	if err != nil {
		return web.Errorf(http.StatusBadRequest, "%s in the zip: %v", name, err)
	}
	defer func() { _ = content.Close() }() // A wrong checksum is an error of the last read.
	limited := &io.LimitedReader{R: content, N: fileLimit + 1}
	err = m.store(u, root, name, limited)
	if limited.N <= 0 {
		return web.Errorf(http.StatusRequestEntityTooLarge, "%s in the zip has more than %d MiB", name, fileLimit>>20)
	}
	if errors.Is(err, zip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) {
		return web.Errorf(http.StatusBadRequest, "%s in the zip is damaged", name)
	}
	return err
}

// removeUpload removes an upload that no training uses.
func (m *Manager) removeUpload(w http.ResponseWriter, r *http.Request) error {
	u, err := m.findUpload(r.PathValue("id"))
	if err != nil {
		return err
	}
	m.mu.Lock()
	for _, t := range m.trainings {
		if t.Source == u.ID {
			m.mu.Unlock()
			return web.Errorf(http.StatusConflict, "the training %q uses it; remove that first", t.Name)
		}
	}
	delete(m.uploads, u.ID)
	m.mu.Unlock()
	if err := os.RemoveAll(m.uploadDir(u.ID)); err != nil {
		return fmt.Errorf("remove an upload: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
