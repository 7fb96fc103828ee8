package charttest

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

func TestGolden(t *testing.T) {
	for _, name := range ciValues() {
		t.Run(name, func(t *testing.T) {
			rendered, err := render(t, readFile(t, chartDir, "ci", name+"-values.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := decode(rendered); err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, file := range slices.Sorted(maps.Keys(rendered)) {
				if text := strings.TrimSpace(rendered[file]); text != "" {
					b.WriteString("# " + file + "\n" + strings.TrimPrefix(text, "---\n") + "\n---\n")
				}
			}
			golden := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(readFile(t, golden), b.String()); diff != "" {
				t.Errorf("%s differs (run go test -update if that is meant):\n%s", golden, diff)
			}
		})
	}
}

func TestObjects(t *testing.T) {
	got := slices.Sorted(maps.Keys(mustRender(t, minimal)))
	want := []string{
		"ConfigMap/mill-wavemill-pipeline", "Deployment/mill-wavemill-generate", "Deployment/mill-wavemill-spectrogram",
		"Service/mill-wavemill-train", "ServiceAccount/mill-wavemill", "StatefulSet/mill-wavemill-train",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPodsAreRestricted holds every pod against the restricted Pod Security Standard.
func TestPodsAreRestricted(t *testing.T) {
	for name, pod := range pods(mustRender(t, minimal)) {
		spec, c := pod.Spec, pod.Spec.Containers[0]
		if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: pod security context %+v", name, s)
		}
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			t.Fatalf("%s: container security context %+v", name, s)
		}
		if diff := cmp.Diff([]corev1.Capability{"ALL"}, s.Capabilities.Drop); diff != "" {
			t.Errorf("%s: dropped capabilities: %s", name, diff)
		}
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			t.Errorf("%s: mounts a token of the API server, which it never calls", name)
		}
		if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: no memory request or limit", name)
		}
	}
}

// TestPodsMountWhatTheyUse checks that every volume is mounted and every mount has its volume, claims included.
func TestPodsMountWhatTheyUse(t *testing.T) {
	for _, values := range []string{
		minimal, readFile(t, chartDir, "ci", "full-values.yaml"), readFile(t, chartDir, "ci", "guard-values.yaml"),
		minimal + "operators: {train: {persistence: {existingClaim: old}}}", minimal + "operators: {train: {persistence: {enabled: false}}}",
	} {
		objects := mustRender(t, values)
		for name, pod := range pods(objects) {
			volumes := map[string]bool{}
			for _, v := range pod.Spec.Volumes {
				volumes[v.Name] = true
			}
			for _, o := range objects {
				if s, ok := o.(*appsv1.StatefulSet); ok && name == s.Spec.Template.Labels["app.kubernetes.io/component"] {
					for _, claim := range s.Spec.VolumeClaimTemplates {
						if volumes[claim.Name] {
							t.Errorf("%s: volume %s is declared twice", name, claim.Name)
						}
						volumes[claim.Name] = true
					}
				}
			}
			for _, m := range pod.Spec.Containers[0].VolumeMounts {
				if !volumes[m.Name] {
					t.Errorf("%s mounts %s, which is not a volume of the pod", name, m.Name)
				}
				delete(volumes, m.Name)
			}
			for v := range volumes {
				t.Errorf("%s does not mount its volume %s", name, v)
			}
		}
	}
}

func TestSelectorsMatchTheirPods(t *testing.T) {
	objects := mustRender(t, readFile(t, chartDir, "ci", "full-values.yaml"))
	matches := func(selector map[string]string, labels map[string]string) bool {
		for k, v := range selector {
			if labels[k] != v {
				return false
			}
		}
		return len(selector) > 0
	}
	templates := pods(objects)
	for key, o := range objects {
		var selector map[string]string
		want := 1
		switch o := o.(type) {
		case *appsv1.Deployment:
			selector = o.Spec.Selector.MatchLabels
		case *appsv1.StatefulSet:
			selector = o.Spec.Selector.MatchLabels
		case *corev1.Service:
			selector = o.Spec.Selector
		case *policyv1.PodDisruptionBudget:
			selector = o.Spec.Selector.MatchLabels
		case *networkingv1.NetworkPolicy:
			selector, want = o.Spec.PodSelector.MatchLabels, 3
		default:
			continue
		}
		n := 0
		for _, pod := range templates {
			if matches(selector, pod.Labels) {
				n++
			}
		}
		if n != want {
			t.Errorf("%s selects %d operators, want %d", key, n, want)
		}
	}
}

func TestConfigurationRollsThePods(t *testing.T) {
	sum := func(values string) string {
		return pods(mustRender(t, values))["spectrogram"].Annotations["checksum/pipeline"]
	}
	a, b := sum(minimal), sum(minimal+"operators: {generate: {config: {max_n: 5}}}")
	if a == "" || a == b {
		t.Errorf("checksums %q and %q: a changed pipeline file must roll the pods", a, b)
	}
	if a != sum(minimal+"image: {tag: other}") {
		t.Error("the checksum covers more than the pipeline file")
	}
}

// TestAnOperatorOfTheUsers holds that an entry in the map is all that another operator needs: it gets the defaults, and a
// second trainer gets a stateful set and a volume of its own.
func TestAnOperatorOfTheUsers(t *testing.T) {
	objects := mustRender(t, readFile(t, chartDir, "ci", "guard-values.yaml"))
	guard, ok := objects["Deployment/mill-wavemill-guard"].(*appsv1.Deployment)
	if !ok || *guard.Spec.Replicas != 2 || objects["PodDisruptionBudget/mill-wavemill-guard"] == nil {
		t.Fatalf("no deployment of two: %+v", guard)
	}
	c := guard.Spec.Template.Spec.Containers[0]
	if c.Name != "guard" || !slices.Equal(c.Args[:2], []string{"operator", "guard"}) || c.Resources.Limits.Memory().String() != "512Mi" {
		t.Errorf("%s %v, limits %v", c.Name, c.Args, c.Resources.Limits)
	}
	second, ok := objects["StatefulSet/mill-wavemill-train-gan"].(*appsv1.StatefulSet)
	if !ok || objects["Service/mill-wavemill-train-gan"] == nil {
		t.Fatal("no stateful set or service for the second trainer")
	}
	c = second.Spec.Template.Spec.Containers[0]
	if !slices.Equal(c.Args[:2], []string{"operator", "train-gan"}) || !slices.Contains(c.Args, "--checkpoints=/var/lib/wavemill") {
		t.Errorf("arguments %v", c.Args)
	}
	claim := second.Spec.VolumeClaimTemplates[0].Spec
	if claim.Resources.Requests.Storage().String() != "1Gi" || len(claim.AccessModes) != 1 {
		t.Errorf("claim %+v", claim)
	}
	if first := objects["StatefulSet/mill-wavemill-train"].(*appsv1.StatefulSet); first.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests.Storage().String() != "5Gi" {
		t.Error("one trainer's values have changed another's")
	}
}

// TestFormerValuesStillApply: values of chart 0.1 have the operators at the top level.
func TestFormerValuesStillApply(t *testing.T) {
	former := minimal + "spectrogram: {replicas: 3, workers: 4, config: {rate: 22050}}\ntrain: {persistence: {size: 20Gi}}\ngenerate: {enabled: false}"
	today := minimal + "operators: {spectrogram: {replicas: 3, workers: 4, config: {rate: 22050}}, train: {persistence: {size: 20Gi}}, generate: {enabled: false}}"
	if diff := cmp.Diff(mustRender(t, today), mustRender(t, former)); diff != "" {
		t.Error(diff)
	}
	rendered, err := render(t, former)
	if err != nil {
		t.Fatal(err)
	}
	if notes := rendered["wavemill/templates/NOTES.txt"]; !strings.Contains(notes, "NOTE: the values under train have moved to operators.train.") {
		t.Errorf("the notes do not say what has moved:\n%s", notes)
	}
}

func TestReplicasCanBeZero(t *testing.T) {
	if d := mustRender(t, minimal+"operators: {generate: {replicas: 0}}")["Deployment/mill-wavemill-generate"].(*appsv1.Deployment); *d.Spec.Replicas != 0 {
		t.Errorf("%d replicas", *d.Spec.Replicas)
	}
}

func TestURLInASecretIsNotInThePod(t *testing.T) {
	pod := pods(mustRender(t, "nats: {existingSecret: bus, urlKey: address}"))["generate"]
	env := pod.Spec.Containers[0].Env[0]
	if env.Name != "WAVEMILL_NATS" || env.Value != "" || env.ValueFrom.SecretKeyRef.Name != "bus" || env.ValueFrom.SecretKeyRef.Key != "address" {
		t.Errorf("WAVEMILL_NATS is %+v", env)
	}
	// The value of a variable in an argument is in the command line of the process, which others can read.
	if args := strings.Join(pod.Spec.Containers[0].Args, " "); strings.Contains(args, "--nats") || strings.Contains(args, "$(") {
		t.Errorf("arguments %s", args)
	}
}

func TestImageByDigest(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	for values, want := range map[string]string{
		"image: {tag: v9}": "wavemill:v9",
		"image: {registry: r.example.org/, repository: a/b, tag: v9, digest: '" + digest + "'}": "r.example.org/a/b@" + digest,
	} {
		if got := pods(mustRender(t, minimal+values))["train"].Spec.Containers[0].Image; got != want {
			t.Errorf("%s: image %s, want %s", values, got, want)
		}
	}
}

// TestWrongValuesAreRefused holds that a mistake is met by a sentence when the chart is rendered, not by a pod that
// does not start.
func TestWrongValuesAreRefused(t *testing.T) {
	for _, tc := range []struct{ name, values, want string }{
		{"no server", "", "nats.url is empty"},
		{"two servers", minimal[:len(minimal)-2] + ", existingSecret: x}", "keep one"},
		{"misspelt key", minimal + "spectogram: {replicas: 2}", "additional properties 'spectogram' not allowed"},
		{"misspelt key below", minimal + "operators: {spectrogram: {replica: 2}}", "additional properties 'replica' not allowed"},
		{"text for a number", minimal + "operators: {generate: {replicas: two}}", "got string, want integer"},
		{"replicas of the trainer", minimal + "operators: {train: {replicas: 2}}", "operators.train: a trainer has one replica"},
		{"workers of a trainer", minimal + "operators: {second: {operator: train, workers: 2}}", "operators.second: a trainer has one replica and one worker"},
		{"misspelt name of an operator", minimal + "operators: {spectogram: {replicas: 2}}", "missing property 'operator'"},
		{"bad name of an operator", minimal + "operators: {my_guard: {operator: guard}}", "'my_guard' does not match pattern"},
		{"long name", minimal + "fullnameOverride: " + strings.Repeat("a", 45) + "\noperators: {" + strings.Repeat("b", 20) + ": {operator: guard}}", "longer than the 63 characters"},
		{"bad stream", minimal + "operators: {guard: {operator: guard, to: Good Ones}}", "/operators/guard/to"},
		{"bad URL", "nats: {url: 'http://nats:4222'}", "/nats/url"},
		{"bad pipeline name", minimal + "pipeline: {name: 'My Drums'}", "/pipeline/name"},
		{"bad digest", minimal + "image: {digest: latest}", "/image/digest"},
		{"nothing enabled", minimal + "operators: {spectrogram: {enabled: false}, train: {enabled: false}, generate: {enabled: false}}", "every operator is disabled"},
		{"variable of the chart set again", minimal + "operators: {train: {extraEnv: [{name: WAVEMILL_NATS, value: x}]}}", "operators.train.extraEnv: WAVEMILL_NATS is set twice"},
		{"variable set twice", minimal + "operators: {train: {extraEnv: [{name: A, value: one}, {name: A, value: two}]}}", "A is set twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := render(t, tc.values)
			if err == nil {
				t.Fatal("rendered")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error lacks %q: %v", tc.want, err)
			}
		})
	}
}

// TestStrictDecodeCatchesATypo is the proof that the other tests would see a misspelt field.
func TestStrictDecodeCatchesATypo(t *testing.T) {
	rendered, err := render(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range rendered {
		rendered[name] = strings.Replace(text, "readOnlyRootFilesystem", "readOnlyRootFileSystem", 1)
	}
	if _, err := decode(rendered); err == nil || !strings.Contains(err.Error(), "readOnlyRootFileSystem") {
		t.Errorf("a misspelt field was accepted: %v", err)
	}
}

func TestLint(t *testing.T) {
	for _, name := range ciValues() {
		var values map[string]any
		if err := yaml.Unmarshal([]byte(readFile(t, chartDir, "ci", name+"-values.yaml")), &values); err != nil {
			t.Fatal(err)
		}
		for _, m := range lint.RunAll(chartDir, values, "audio").Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

func TestNotesNameTheSubjects(t *testing.T) {
	rendered, err := render(t, minimal+"pipeline: {name: drums}\noperators: {train: {persistence: {enabled: false}}}")
	if err != nil {
		t.Fatal(err)
	}
	notes := rendered["wavemill/templates/NOTES.txt"]
	for _, want := range []string{"drums.audio.LABEL", "drums.generate", "drums.dlq.<operator>", "NOTE: operators.train.persistence is off"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q:\n%s", want, notes)
		}
	}
}
