package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	registry "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// assemble makes an index with an image for each binary.
func assemble(binaries []binary, n name) (v1.ImageIndex, error) {
	base, err := newLayer(baseEntries())
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range binaries {
		img, err := newImage(b, base, n)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &b.platform}})
	}
	return index, nil
}

// newImage makes the image of one binary: a layer with the base, which changes rarely, and one with the program.
func newImage(b binary, base v1.Layer, n name) (v1.Image, error) {
	program, err := binaryEntry(b)
	if err != nil {
		return nil, err
	}
	top, err := newLayer([]entry{program})
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	history := func(what string) v1.History {
		return v1.History{Created: v1.Time{Time: epoch}, CreatedBy: what}
	}
	img, err = mutate.Append(img,
		mutate.Addendum{Layer: base, MediaType: types.OCILayer, History: history("account, certificates, folders")},
		mutate.Addendum{Layer: top, MediaType: types.OCILayer, History: history("wavemill")},
	)
	if err != nil {
		return nil, fmt.Errorf("image of %s: %w", b.platform, err)
	}
	old, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file := old.DeepCopy()
	file.OS, file.Architecture, file.Created = b.platform.OS, b.platform.Architecture, v1.Time{Time: epoch}
	file.Config = config(b, n)
	return mutate.ConfigFile(img, file)
}

// config is how a container of the image runs.
func config(b binary, n name) v1.Config {
	labels := map[string]string{
		"org.opencontainers.image.title":       "wavemill",
		"org.opencontainers.image.description": "Generates new labelled recordings from labelled recordings",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     n.tag,
	}
	if revision := b.setting("vcs.revision"); revision != "" {
		labels["org.opencontainers.image.revision"] = revision
	}
	return v1.Config{
		User:         fmt.Sprintf("%d:%d", user, user),
		Entrypoint:   []string{"/wavemill"},
		Env:          []string{"PATH=/", "HOME=" + home, "TMPDIR=" + home, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
		WorkingDir:   home,
		Volumes:      map[string]struct{}{home: {}},
		ExposedPorts: map[string]struct{}{"4222/tcp": {}, "8080/tcp": {}},
		Labels:       labels,
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/wavemill", "health"},
			Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second, Retries: 3,
		},
		StopSignal: "SIGTERM",
	}
}

// pushIndex pushes an index to a repository:tag with the login that docker or podman has stored.
func pushIndex(ctx context.Context, to string, index v1.ImageIndex) error {
	ref, err := registry.ParseReference(to)
	if err != nil {
		return fmt.Errorf("-push: %w", err)
	}
	if err := remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("pushing to %s: %w; log in with docker login or podman login", ref, err)
	}
	return nil
}
