package main

import (
	"archive/tar"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	reference "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	spdx "github.com/spdx/tools-golang/json"
	"sigs.k8s.io/yaml"
)

// module is the folder of the module wavemill.
const module = "../.."

// chart is the folder of the chart, which has the image's name.
const chart = module + "/charts/wavemill"

// built builds the image of this machine's processor into a folder and returns what run printed.
func built(t *testing.T, out string, more ...string) string {
	t.Helper()
	var said, usage strings.Builder
	args := append([]string{"-module", module, "-platforms", "linux/amd64", "-out", out}, more...)
	if err := run(t.Context(), args, &said, &usage); err != nil {
		t.Fatal(err, usage.String())
	}
	return said.String()
}

// opened returns the index in a folder and the image of its only platform.
func opened(t *testing.T, out string) (v1.ImageIndex, v1.Image) {
	t.Helper()
	root, err := layout.ImageIndexFromPath(filepath.Join(out, "layout"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := root.IndexManifest()
	if err != nil || len(list.Manifests) != 1 {
		t.Fatalf("index.json has %+v, %v; want one index", list, err)
	}
	n, err := readName(chart)
	if err != nil || list.Manifests[0].Annotations[refName] != n.tag {
		t.Errorf("the layout calls the image %v; want %s (%v)", list.Manifests[0].Annotations, n.tag, err)
	}
	index, err := root.ImageIndex(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	images, err := index.IndexManifest()
	if err != nil || len(images.Manifests) != 1 || images.Manifests[0].Platform.String() != "linux/amd64" {
		t.Fatalf("the index has %+v, %v", images, err)
	}
	img, err := index.Image(images.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index, img
}

// The tests below share two builds, because a build takes seconds.
func TestImage(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	remoteName := strings.TrimPrefix(server.URL, "http://") + "/wavemill:test"
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	one := built(t, first)
	two := built(t, second, "-push", remoteName)
	index, img := opened(t, first)

	t.Run("two builds are the same bytes", func(t *testing.T) {
		if strings.Split(one, "\n")[0] != strings.Split(two, "\n")[0] {
			t.Errorf("two builds gave %s and %s", one, two)
		}
		for _, file := range []string{"layout/index.json", "sbom-linux-amd64.spdx.json", "provenance.json"} {
			a, errA := os.ReadFile(filepath.Join(first, file))
			b, errB := os.ReadFile(filepath.Join(second, file))
			if err := errors.Join(errA, errB); err != nil || string(a) != string(b) {
				t.Errorf("%s differs between two builds (%v)", file, err)
			}
		}
	})
	t.Run("valid", func(t *testing.T) {
		if err := validate.Index(index); err != nil {
			t.Error(err)
		}
	})
	t.Run("pulled as it was pushed", func(t *testing.T) {
		ref, err := reference.ParseReference(remoteName)
		if err != nil {
			t.Fatal(err)
		}
		pulled, err := remote.Index(ref)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := index.Digest()
		if got, err := pulled.Digest(); err != nil || got != want {
			t.Errorf("pulled %v, %v; pushed %v", got, err, want)
		}
	})
	t.Run("configuration", func(t *testing.T) { checkConfig(t, img) })
	t.Run("files", func(t *testing.T) { checkFiles(t, img) })
	t.Run("bill of materials", func(t *testing.T) { checkBill(t, filepath.Join(first, "sbom-linux-amd64.spdx.json")) })
	t.Run("runs unpacked", func(t *testing.T) { runUnpacked(t, img) })
	t.Run("a folder with files is refused", func(t *testing.T) {
		var said strings.Builder
		if err := run(t.Context(), []string{"-module", module, "-out", first}, &said, &said); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("it was overwritten: %v", err)
		}
	})
}

func checkConfig(t *testing.T, img v1.Image) {
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if c.User != "65532:65532" || c.WorkingDir != "/data" || c.Healthcheck == nil || c.Healthcheck.Test[1] != "/wavemill" {
		t.Errorf("the configuration is %+v", c)
	}
	// The Dockerfile says the same.
	docker, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"USER " + c.User, "WORKDIR " + c.WorkingDir, "VOLUME " + c.WorkingDir, "EXPOSE 4222 8080", "ENV " + strings.Join(c.Env, " "), "STOPSIGNAL " + c.StopSignal, `CMD ["/wavemill", "health"]`, `ENTRYPOINT ["/wavemill"]`} {
		if !strings.Contains(string(docker), line) {
			t.Errorf("the Dockerfile lacks %q", line)
		}
	}
}

// extracted calls each with every file of an image.
func extracted(t *testing.T, img v1.Image, each func(h *tar.Header, content io.Reader)) {
	t.Helper()
	content := mutate.Extract(img)
	defer content.Close()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		each(h, r)
	}
}

func checkFiles(t *testing.T, img v1.Image) {
	found := map[string]*tar.Header{}
	extracted(t, img, func(h *tar.Header, _ io.Reader) { found[h.Name] = h })
	for name, h := range found {
		owned := h.Uid == user
		if owned != (name == "data" || name == "data/") || h.Uid != h.Gid {
			t.Errorf("%s belongs to %d:%d", name, h.Uid, h.Gid)
		}
		if !h.ModTime.Equal(epoch) {
			t.Errorf("%s is of %v", name, h.ModTime)
		}
	}
	if h := found["etc/ssl/certs/ca-certificates.crt"]; h == nil || h.Size < 50_000 {
		t.Errorf("the certificates are %+v", h)
	}
	if h := found["wavemill"]; h == nil || h.Mode != 0o755 {
		t.Errorf("the binary is %+v", h)
	}
}

func checkBill(t *testing.T, path string) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := spdx.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, p := range doc.Packages {
		names[p.PackageName] = p.PackageVersion != ""
	}
	for _, want := range []string{"wavemill", "stdlib", "github.com/nats-io/nats.go", "gorgonia.org/gorgonia", "github.com/go-audio/wav"} {
		if !names[want] {
			t.Errorf("the bill lacks %s or its version", want)
		}
	}
}

func TestReadNameRefuses(t *testing.T) {
	for files, want := range map[[2]string]string{
		{"image: {repository: wavemill}", "name: wavemill"}: "appVersion",
		{"image: {tag: '1'}", "appVersion: '1'"}:            "repository",
		{"image: [", "appVersion: '1'"}:                     "values.yaml",
	} {
		dir := t.TempDir()
		for i, name := range []string{"values.yaml", "Chart.yaml"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(files[i]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := readName(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v gave %v, %v; want an error about %s", files, n, err, want)
		}
	}
}

func TestPlatformsRefused(t *testing.T) {
	for _, platform := range []string{"", "linux", "windows/amd64", "linux/arm/v7"} {
		if _, err := build(t.Context(), module, platform, t.TempDir()); err == nil || !strings.Contains(err.Error(), "-platforms") {
			t.Errorf("%q gave %v", platform, err)
		}
	}
}

// The compose file names the image as the chart does.
func TestComposeNamesTheImage(t *testing.T) {
	data, err := os.ReadFile("../compose/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image string `json:"image"`
		} `json:"services"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	want, err := readName(chart)
	if err != nil {
		t.Fatal(err)
	}
	for service, s := range file.Services {
		if service != "nats" && s.Image != want.String() {
			t.Errorf("%s runs %s; the chart names %s", service, s.Image, want)
		}
	}
	if len(file.Services) < 4 {
		t.Errorf("compose.yaml has %d services", len(file.Services))
	}
}
