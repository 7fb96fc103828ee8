// Package charttest renders the Helm chart and holds every object against its Kubernetes type; the containers of a render it
// starts as processes. It is a module of its own because Helm brings some 650 packages that nobody who builds wavemill should
// need.
package charttest

import (
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"

	"wavemill/charts/test/rendered"
)

const chartDir = "../wavemill"

// formerDir has chart 0.1.0 as it was published.
const formerDir = "testdata/wavemill-0.1.0"

// minimal is what an installation must set.
const minimal = rendered.Minimal

// render renders the chart with the given values and returns the text of every template.
func render(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	return renderAs(t, rendered.Release(), values)
}

// renderAs renders the chart for a release.
func renderAs(t *testing.T, release common.ReleaseOptions, values string) (map[string]string, error) {
	t.Helper()
	return rendered.Texts(t, rendered.Load(t, chartDir), release, rendered.Values(t, values))
}

// mustRender renders the chart with the given values and returns its objects by "Kind/name".
func mustRender(t *testing.T, values string) map[string]any {
	t.Helper()
	texts, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, texts)
}

func decode(t *testing.T, texts map[string]string) map[string]any {
	t.Helper()
	objects, err := rendered.Decode(texts)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// renderFormer renders chart 0.1 with the given values.
func renderFormer(t *testing.T, values string) map[string]any {
	t.Helper()
	texts, err := rendered.Texts(t, rendered.Load(t, formerDir), rendered.Release(), rendered.Values(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, texts)
}

// readFile returns the text of a file.
func readFile(t *testing.T, elem ...string) string {
	t.Helper()
	return rendered.File(t, elem...)
}
