// Package charttest renders the Helm chart as an installation would, without a cluster and without the helm binary,
// and holds every object against its Kubernetes type. It is a module of its own because Helm brings some 650
// packages that nobody who builds wavemill should need.
package charttest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const chartDir = "../wavemill"

// minimal is what an installation must set.
const minimal = "nats: {url: nats://nats.bus.svc:4222}\n"

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render renders the chart with the given values and returns the text of every template.
func render(t *testing.T, valuesYAML string) (map[string]string, error) {
	t.Helper()
	return renderAs(t, common.ReleaseOptions{Name: "mill", Namespace: "audio", Revision: 1, IsInstall: true}, valuesYAML)
}

// renderAs renders the chart for a release.
func renderAs(t *testing.T, release common.ReleaseOptions, valuesYAML string) (map[string]string, error) {
	t.Helper()
	c := loadChart(t)
	var values map[string]any
	if err := yaml.Unmarshal([]byte(valuesYAML), &values); err != nil {
		t.Fatalf("values of the test: %v", err)
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, err
	}
	all, err := commonutil.ToRenderValues(c, values, release, common.DefaultCapabilities.Copy())
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.RenderWithContext(t.Context(), c, all)
}

// newObject returns an empty object of the named kind.
func newObject(apiVersion, kind string) (any, error) {
	switch apiVersion + " " + kind {
	case "v1 Pod":
		return &corev1.Pod{}, nil
	case "batch/v1 Job":
		return &batchv1.Job{}, nil
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return &autoscalingv2.HorizontalPodAutoscaler{}, nil
	case "keda.sh/v1alpha1 ScaledObject":
		return &scaledObject{}, nil
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return &serviceMonitor{}, nil
	case "monitoring.coreos.com/v1 PrometheusRule":
		return &prometheusRule{}, nil
	case "v1 ConfigMap":
		return &corev1.ConfigMap{}, nil
	case "v1 Service":
		return &corev1.Service{}, nil
	case "v1 ServiceAccount":
		return &corev1.ServiceAccount{}, nil
	case "apps/v1 Deployment":
		return &appsv1.Deployment{}, nil
	case "apps/v1 StatefulSet":
		return &appsv1.StatefulSet{}, nil
	case "policy/v1 PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}, nil
	case "networking.k8s.io/v1 NetworkPolicy":
		return &networkingv1.NetworkPolicy{}, nil
	}
	return nil, fmt.Errorf("no type known for %s %s: add it to newObject", apiVersion, kind)
}

// decode turns rendered text into typed objects by "Kind/name"; unknown and repeated fields are errors.
func decode(rendered map[string]string) (map[string]any, error) {
	objects := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			continue
		}
		for doc := range strings.SplitSeq("\n"+rendered[name], "\n---") {
			if strings.TrimSpace(doc) == "" {
				continue
			}
			var head struct {
				APIVersion string `json:"apiVersion"`
				Kind       string `json:"kind"`
				Metadata   struct {
					Name string `json:"name"`
				} `json:"metadata"`
			}
			if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			object, err := newObject(head.APIVersion, head.Kind)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if err := decodeStrict([]byte(doc), object); err != nil {
				return nil, fmt.Errorf("%s: %s %s: %w", name, head.Kind, head.Metadata.Name, err)
			}
			key := head.Kind + "/" + head.Metadata.Name
			if objects[key] != nil {
				return nil, fmt.Errorf("%s: %s is rendered twice", name, key)
			}
			objects[key] = object
		}
	}
	return objects, nil
}

// decodeStrict decodes as the API server does under strict validation: names are case-sensitive, unknown and repeated
// ones are errors. (sigs.k8s.io/yaml alone would let readOnlyRootFileSystem pass.)
func decodeStrict(doc []byte, object any) error {
	text, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return err
	}
	faults, err := json.UnmarshalStrict(text, object)
	return errors.Join(append(faults, err)...)
}

func mustRender(t *testing.T, values string) map[string]any {
	t.Helper()
	rendered, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := decode(rendered)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func readFile(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pods returns the pod of every workload by its component, those of hooks included.
func pods(objects map[string]any) map[string]corev1.PodTemplateSpec {
	out := map[string]corev1.PodTemplateSpec{}
	for _, o := range objects {
		var template corev1.PodTemplateSpec
		switch o := o.(type) {
		case *appsv1.Deployment:
			template = o.Spec.Template
		case *appsv1.StatefulSet:
			template = o.Spec.Template
		case *batchv1.Job:
			template = o.Spec.Template
		case *corev1.Pod:
			template = corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
		default:
			continue
		}
		out[template.Labels["app.kubernetes.io/component"]] = template
	}
	return out
}

// containers returns all containers of a pod, init containers first.
func containers(pod corev1.PodSpec) []corev1.Container {
	return slices.Concat(pod.InitContainers, pod.Containers)
}

// ciValues are the names of the values in the chart's folder ci.
func ciValues() []string {
	return []string{"minimal", "full", "guard", "bundled", "cluster", "embedded"}
}

// matches reports whether a selector selects labels.
func matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}
