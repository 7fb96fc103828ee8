package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The user and group that the image runs as: nobody's account on usual systems, not root.
const user = 65532

// home is the working folder and the volume: the only folder of the image that the user may write to.
const home = "/data"

// epoch is the time of every file: a layer depends on the content alone.
var epoch = time.Unix(0, 0).UTC()

// An entry is a file or folder of a layer.
type entry struct {
	path  string // without a leading slash; folders end in one
	mode  int64
	owner int // user and group
	data  []byte
}

// newLayer makes a layer of entries in the given order.
func newLayer(entries []entry) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		h := &tar.Header{Name: e.path, Mode: e.mode, Uid: e.owner, Gid: e.owner, Size: int64(len(e.data)), ModTime: epoch, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if e.path[len(e.path)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("layer: %s: %w", e.path, err)
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, fmt.Errorf("layer: %s: %w", e.path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("layer: %w", err)
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
}

// baseEntries are what a static binary needs of a system: an account, a folder to write to, one for temporary files, and the
// certificates of the public authorities, for servers with TLS.
func baseEntries() []entry {
	account := fmt.Sprintf("wavemill:x:%d:%d:wavemill:%s:/\n", user, user, home)
	return []entry{
		{"data/", 0o755, user, nil},
		{"etc/", 0o755, 0, nil},
		{"etc/group", 0o644, 0, fmt.Appendf(nil, "root:x:0:\nwavemill:x:%d:\n", user)},
		{"etc/passwd", 0o644, 0, []byte("root:x:0:0:root:/:/\n" + account)},
		{"etc/ssl/", 0o755, 0, nil},
		{"etc/ssl/certs/", 0o755, 0, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, 0, authorities()},
		{"tmp/", 0o1777, 0, nil},
	}
}

// authorities returns the certificates of the public authorities that Mozilla trusts, as PEM.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		// Writing to a buffer does not fail.
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	return out.Bytes()
}

// binaryEntry is the program.
func binaryEntry(b binary) (entry, error) {
	data, err := os.ReadFile(b.path)
	return entry{"wavemill", 0o755, 0, data}, err
}
