package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation by which tools find an image in a layout.
const refName = "org.opencontainers.image.ref.name"

// write writes into a folder, which appears whole or not at all: layout/ with the index, sbom-<os>-<arch>.spdx.json for each
// binary, provenance.json.
func write(folder string, index v1.ImageIndex, binaries []binary, n name) (err error) {
	folder = filepath.Clean(folder)
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), "."+filepath.Base(folder)+".")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) // a no-op after the rename
	path, err := layout.Write(filepath.Join(work, "layout"), mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return fmt.Errorf("layout: %w", err)
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{refName: n.tag, "io.containerd.image.name": n.String()})); err != nil {
		return fmt.Errorf("layout: %w", err)
	}
	for _, b := range binaries {
		bill, err := newBill(b, n)
		if err != nil {
			return err
		}
		if err := writeJSON(filepath.Join(work, "sbom-"+strings.ReplaceAll(b.platform.String(), "/", "-")+".spdx.json"), bill); err != nil {
			return err
		}
	}
	statement, err := newStatement(index, binaries, n)
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(work, "provenance.json"), statement); err != nil {
		return err
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	// An empty folder may be there.
	if err := os.Remove(folder); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Rename(work, folder)
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
