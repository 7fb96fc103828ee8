package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A binary is wavemill built for one platform.
type binary struct {
	platform v1.Platform
	path     string
	info     *buildinfo.BuildInfo // as the Go command recorded it: modules, versions and flags
}

// build builds cmd/wavemill of the module in a folder for a platform such as linux/arm64, without a C compiler and without
// paths of this machine, into the folder work.
func build(ctx context.Context, module, platform, work string) (binary, error) {
	parsed, err := v1.ParsePlatform(platform)
	if err != nil || parsed.OS != "linux" || parsed.Architecture == "" || parsed.Variant != "" {
		return binary{}, fmt.Errorf("-platforms: %q is no platform such as linux/amd64", platform)
	}
	b := binary{platform: *parsed, path: filepath.Join(work, strings.ReplaceAll(platform, "/", "-"))}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", b.path, "./cmd/wavemill")
	cmd.Dir = module
	// GOFLAGS of the caller could change the bytes, and so could a processor level above the least.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+parsed.OS, "GOARCH="+parsed.Architecture, "GOFLAGS=-mod=readonly", "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return binary{}, fmt.Errorf("building for %s: %w\n%s", platform, err, said.Bytes())
	}
	if b.info, err = buildinfo.ReadFile(b.path); err != nil {
		return binary{}, fmt.Errorf("%s: %w", b.path, err)
	}
	return b, nil
}

// setting returns a setting of the build, such as vcs.revision, or "".
func (b binary) setting(key string) string {
	for _, s := range b.info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
