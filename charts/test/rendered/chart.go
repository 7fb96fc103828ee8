// Package rendered renders the Helm chart as an installation would, without a cluster and without the helm binary, and decodes
// what comes out into the types of Kubernetes. The tests of the chart and those on a real API server share it.
package rendered

import (
	"os"
	"path/filepath"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// Minimal is what an installation must set.
const Minimal = "nats: {url: nats://nats.bus.svc:4222}\n"

// Files are the names of the values files in the chart's folder ci, without "-values.yaml".
func Files() []string {
	return []string{"minimal", "full", "guard", "bundled", "cluster", "embedded"}
}

// Release is the installation of a release "mill" into the namespace "audio".
func Release() common.ReleaseOptions {
	return common.ReleaseOptions{Name: "mill", Namespace: "audio", Revision: 1, IsInstall: true}
}

// Load reads the chart in a folder.
func Load(t *testing.T, dir string) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Values reads values; those of later texts win, key by key.
func Values(t *testing.T, texts ...string) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, text := range texts {
		var v map[string]any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("values of the test: %v", err)
		}
		merge(all, v)
	}
	return all
}

func merge(into, from map[string]any) {
	for k, v := range from {
		below, isMap := v.(map[string]any)
		if old, ok := into[k].(map[string]any); ok && isMap {
			merge(old, below)
			continue
		}
		into[k] = v
	}
}

// Texts renders a chart for a release and returns the text of every template by its name.
func Texts(t *testing.T, c *chart.Chart, release common.ReleaseOptions, values map[string]any) (map[string]string, error) {
	t.Helper()
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, err
	}
	all, err := commonutil.ToRenderValues(c, values, release, common.DefaultCapabilities.Copy())
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.RenderWithContext(t.Context(), c, all)
}

// File returns the text of a file.
func File(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
