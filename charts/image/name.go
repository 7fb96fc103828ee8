package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// A name is what the image is called: the chart's values say it, and nothing else.
type name struct {
	repository string // with its registry, such as registry.example/team/wavemill
	tag        string
}

func (n name) String() string { return n.repository + ":" + n.tag }

// readName reads the image's name from the chart in a folder: image.registry, image.repository and image.tag of values.yaml;
// an empty tag is the appVersion of Chart.yaml.
func readName(chart string) (name, error) {
	var values struct {
		Image struct {
			Registry   string `json:"registry"`
			Repository string `json:"repository"`
			Tag        string `json:"tag"`
		} `json:"image"`
	}
	var about struct {
		AppVersion string `json:"appVersion"`
	}
	for file, into := range map[string]any{"values.yaml": &values, "Chart.yaml": &about} {
		data, err := os.ReadFile(filepath.Join(chart, file))
		if err != nil {
			return name{}, fmt.Errorf("the chart has the image's name: %w; -module names the module's folder", err)
		}
		if err := yaml.Unmarshal(data, into); err != nil {
			return name{}, fmt.Errorf("%s: %w", filepath.Join(chart, file), err)
		}
	}
	n := name{path.Join(values.Image.Registry, values.Image.Repository), values.Image.Tag}
	if n.tag == "" {
		n.tag = about.AppVersion
	}
	if n.repository == "" || n.tag == "" {
		return name{}, fmt.Errorf("%s: image.repository of values.yaml, or both image.tag and appVersion of Chart.yaml are empty", chart)
	}
	return n, nil
}
