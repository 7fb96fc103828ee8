package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/export"
)

// checkpoint returns a small model that has learnt one batch of noise.
func checkpoint(ctx context.Context, arch, config string) (models.Checkpoint, error) {
	fe := models.FrontEnd{Spectrogram: spectrogram.Default(8000), Frames: 16}
	labels := []string{"<kick>", "snare"}
	l, err := architectures.NewLearner(arch, []byte(config), fe, labels, 1)
	if err != nil {
		return models.Checkpoint{}, err
	}
	x := models.Batch{B: 8, T: fe.Frames, F: fe.Spectrogram.Bins()}
	for i := range x.B * x.T * x.F {
		x.Data = append(x.Data, float32(i%17)/8.5-1)
	}
	for i := range x.B {
		x.Labels = append(x.Labels, i%2)
	}
	t := models.Trainer{Steps: 2, BatchSize: 4, Seed: 1}
	return t.Run(ctx, l, x, models.Batch{})
}

func TestFiles(t *testing.T) {
	for _, c := range []struct {
		arch, config string
		want         []string
	}{
		{"vae", `{"channels":4,"latent":4}`, []string{"generator.onnx", "encoder.onnx", export.PriorFile, export.MelFile, export.ManifestFile}},
		{"gan", `{"channels":4,"latent":4}`, []string{"generator.onnx", "discriminator.onnx", export.PriorFile, export.MelFile, export.ManifestFile}},
	} {
		t.Run(c.arch, func(t *testing.T) {
			cp, err := checkpoint(t.Context(), c.arch, c.config)
			if err != nil {
				t.Fatal(err)
			}
			files, err := export.Files(cp, export.Options{Version: "test"})
			if err != nil {
				t.Fatal(err)
			}
			again, err := export.Files(cp, export.Options{Version: "test"})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for i, f := range files {
				names = append(names, f.Name)
				if len(f.Data) == 0 || !bytes.Equal(f.Data, again[i].Data) {
					t.Errorf("%s: %d bytes, then %d", f.Name, len(f.Data), len(again[i].Data))
				}
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("files %v, want %v", names, c.want)
			}
			checkManifest(t, cp, files)
		})
	}
}

// checkManifest compares the manifest, the last file, with the files beside it.
func checkManifest(t *testing.T, cp models.Checkpoint, files []export.File) {
	t.Helper()
	var m export.Manifest
	if err := json.Unmarshal(files[len(files)-1].Data, &m); err != nil {
		t.Fatal(err)
	}
	digest, err := cp.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if m.Format != export.Format || m.Model != digest || m.Wavemill != "test" || m.Step != 2 || !slices.Equal(m.Labels, cp.Labels) || m.Sampling.Latent != 4 {
		t.Errorf("%+v", m)
	}
	for _, f := range files[:len(files)-1] {
		if f.Network != "" && m.Networks[f.Network].File != f.Name {
			t.Errorf("%s is not in the manifest: %+v", f.Name, m.Networks)
		}
		if f.Network == "" && len(m.Tensors[f.Name]) == 0 {
			t.Errorf("%s is not in the manifest: %+v", f.Name, m.Tensors)
		}
	}
	if !bytes.Contains(files[len(files)-1].Data, []byte("<kick>")) {
		t.Error("labels are escaped in the manifest")
	}
}

func TestOnlySomeNetworks(t *testing.T) {
	cp, err := checkpoint(t.Context(), "vae", `{"channels":4,"latent":4}`)
	if err != nil {
		t.Fatal(err)
	}
	files, err := export.Files(cp, export.Options{Only: []string{"encoder"}})
	if err != nil || len(files) != 3 || files[0].Network != "encoder" || files[1].Name != export.MelFile {
		t.Errorf("%d files, error %v", len(files), err)
	}
	_, err = export.Files(cp, export.Options{Only: []string{"encoder", "discriminator"}})
	unknown, ok := errors.AsType[*export.UnknownNetworkError](err)
	if !ok || unknown.Name != "discriminator" || !slices.Equal(unknown.Networks, []string{"generator", "encoder"}) {
		t.Errorf("error %v", err)
	}
	cp.Arch = "nonsense"
	if _, err := export.Files(cp, export.Options{}); err == nil {
		t.Error("an unknown architecture: no error")
	}
}

func Example() {
	c, err := checkpoint(context.Background(), "vae", `{"channels":4,"latent":4}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	files, err := export.Files(c, export.Options{Only: []string{"generator"}, Version: "1.0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range files {
		fmt.Println(f.Name) // write f.Data here
	}
	// Output:
	// generator.onnx
	// prior.safetensors
	// mel.safetensors
	// wavemill.json
}

// TestFacts checks what is said of a file, against the SHA-256 of "abc" in FIPS 180-2.
func TestFacts(t *testing.T) {
	got := export.File{Name: "generator.onnx", Network: "generator", Data: []byte("abc")}.Facts("dir/generator.onnx")
	want := export.Facts{File: "dir/generator.onnx", Network: "generator", Bytes: 3, SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
