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
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"wavemill/charts/test/rendered"
)

var update = flag.Bool("update", false, "write the golden files")

func TestGolden(t *testing.T) {
	for _, name := range rendered.Files() {
		t.Run(name, func(t *testing.T) {
			texts, err := render(t, readFile(t, chartDir, "ci", name+"-values.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			decode(t, texts)
			var b strings.Builder
			for _, file := range slices.Sorted(maps.Keys(texts)) {
				if text := strings.TrimSpace(texts[file]); text != "" {
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
		"ConfigMap/mill-wavemill-pipeline", "ConfigMap/mill-wavemill-provision", "ConfigMap/mill-wavemill-test",
		"Deployment/mill-wavemill-generate", "Deployment/mill-wavemill-spectrogram", "Job/mill-wavemill-provision",
		"NetworkPolicy/mill-wavemill", "Pod/mill-wavemill-test", "Service/mill-wavemill-metrics", "Service/mill-wavemill-train",
		"ServiceAccount/mill-wavemill", "StatefulSet/mill-wavemill-train",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// eachPod calls f with every pod of every values file of the chart.
func eachPod(t *testing.T, f func(t *testing.T, pod corev1.PodTemplateSpec)) {
	for _, values := range rendered.Files() {
		for name, pod := range rendered.Pods(mustRender(t, readFile(t, chartDir, "ci", values+"-values.yaml"))) {
			t.Run(values+"/"+name, func(t *testing.T) { f(t, pod) })
		}
	}
}

// TestPodsAreRestricted holds every container of every pod against the restricted Pod Security Standard, and wants limits.
func TestPodsAreRestricted(t *testing.T) {
	eachPod(t, func(t *testing.T, pod corev1.PodTemplateSpec) {
		spec := pod.Spec
		if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("pod security context %+v", s)
		}
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			t.Error("it mounts a token of the API server, which it never calls")
		}
		if spec.HostNetwork || spec.HostPID || spec.HostIPC {
			t.Error("it uses a namespace of the host")
		}
		for _, v := range spec.Volumes {
			if v.HostPath != nil {
				t.Errorf("volume %s is a folder of the host", v.Name)
			}
		}
		for _, c := range rendered.Containers(spec) {
			s := c.SecurityContext
			if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.Privileged != nil {
				t.Fatalf("%s: security context %+v", c.Name, s)
			}
			if diff := cmp.Diff([]corev1.Capability{"ALL"}, s.Capabilities.Drop); diff != "" || len(s.Capabilities.Add) > 0 {
				t.Errorf("%s: capabilities: %s", c.Name, diff)
			}
			if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
				t.Errorf("%s: requests %v, limits %v", c.Name, c.Resources.Requests, c.Resources.Limits)
			}
		}
	})
}

// TestProbes: every container that goes on is probed on a port that it has, with time to start, to be busy and to go away.
func TestProbes(t *testing.T) {
	eachPod(t, func(t *testing.T, pod corev1.PodTemplateSpec) {
		for _, c := range pod.Spec.Containers {
			if component := pod.Labels["app.kubernetes.io/component"]; component == "provision" || component == "test" {
				continue // They end.
			}
			for what, p := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
				if p == nil || p.HTTPGet == nil || !slices.ContainsFunc(c.Ports, func(port corev1.ContainerPort) bool { return port.Name == p.HTTPGet.Port.StrVal }) {
					t.Errorf("%s: %s probe %+v", c.Name, what, p)
				}
			}
			if c.LivenessProbe.HTTPGet.Path == c.ReadinessProbe.HTTPGet.Path || c.StartupProbe.PeriodSeconds*c.StartupProbe.FailureThreshold < 60 {
				t.Errorf("%s: the probes are alike, or a start has less than a minute", c.Name)
			}
			if grace := pod.Spec.TerminationGracePeriodSeconds; grace == nil || *grace < 60 {
				t.Errorf("grace period %v", grace)
			}
		}
	})
}

// TestNoSecretsInArguments: no argument and no variable holds a secret or refers to one, and no variable is there twice, which
// server-side apply refuses and strict decoding does not see.
func TestNoSecretsInArguments(t *testing.T) {
	eachPod(t, func(t *testing.T, pod corev1.PodTemplateSpec) {
		for _, c := range rendered.Containers(pod.Spec) {
			if args := strings.Join(slices.Concat(c.Command, c.Args), " "); strings.Contains(args, "--nats") || strings.Contains(args, "$(") {
				t.Errorf("%s: arguments %s", c.Name, args)
			}
			seen := map[string]bool{}
			for _, e := range c.Env {
				if seen[e.Name] {
					t.Errorf("%s: %s is set twice", c.Name, e.Name)
				}
				seen[e.Name] = true
				if strings.Contains(e.Name, "PASSWORD") && e.ValueFrom == nil && !strings.Contains(e.Value, "$(") {
					t.Errorf("%s: %s is not from a Secret", c.Name, e.Name)
				}
			}
		}
	})
}

// TestPodsMountWhatTheyUse checks that every volume is mounted and every mount has its volume, claims included.
func TestPodsMountWhatTheyUse(t *testing.T) {
	for _, values := range []string{
		minimal, readFile(t, chartDir, "ci", "full-values.yaml"), readFile(t, chartDir, "ci", "guard-values.yaml"),
		readFile(t, chartDir, "ci", "bundled-values.yaml"), readFile(t, chartDir, "ci", "embedded-values.yaml"),
		minimal + "operators: {train: {persistence: {existingClaim: old}}}", minimal + "operators: {train: {persistence: {enabled: false}}}",
	} {
		objects := mustRender(t, values)
		for name, pod := range rendered.Pods(objects) {
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
			used := map[string]bool{}
			for _, c := range rendered.Containers(pod.Spec) {
				for _, m := range c.VolumeMounts {
					if !volumes[m.Name] {
						t.Errorf("%s mounts %s, which is not a volume of the pod", name, m.Name)
					}
					used[m.Name] = true
				}
			}
			for v := range volumes {
				if used[v] {
					continue
				}
				t.Errorf("%s does not mount its volume %s", name, v)
			}
		}
	}
}

func TestSelectorsMatchTheirPods(t *testing.T) {
	for _, values := range rendered.Files() {
		objects := mustRender(t, readFile(t, chartDir, "ci", values+"-values.yaml"))
		templates := rendered.Pods(objects)
		for key, o := range objects {
			var selector map[string]string
			least, most := 1, 1
			switch o := o.(type) {
			case *appsv1.Deployment:
				selector = o.Spec.Selector.MatchLabels
			case *appsv1.StatefulSet:
				selector = o.Spec.Selector.MatchLabels
				if objects["Service/"+o.Spec.ServiceName] == nil {
					t.Errorf("%s %s: there is no service %s", values, key, o.Spec.ServiceName)
				}
			case *corev1.Service:
				selector = o.Spec.Selector
				if strings.HasSuffix(key, "-metrics") {
					most = 20
				}
			case *policyv1.PodDisruptionBudget:
				selector = o.Spec.Selector.MatchLabels
			case *networkingv1.NetworkPolicy:
				selector, most = o.Spec.PodSelector.MatchLabels, 20
			default:
				continue
			}
			n := 0
			for name, pod := range templates {
				if !rendered.Matches(selector, pod.Labels) {
					continue
				}
				n++
				if strings.HasSuffix(key, "-metrics") && (name == "nats" || name == "provision" || name == "test") {
					t.Errorf("%s: %s selects %s, which has no metrics", values, key, name)
				}
			}
			if n < least || n > most {
				t.Errorf("%s: %s selects %d pods, want %d to %d", values, key, n, least, most)
			}
		}
	}
}

// TestReleasesAreApart: two releases in one namespace share no object and select no pod of each other.
func TestReleasesAreApart(t *testing.T) {
	values := readFile(t, chartDir, "ci", "cluster-values.yaml")
	of := func(name string) map[string]any {
		texts, err := renderAs(t, common.ReleaseOptions{Name: name, Namespace: "audio", IsInstall: true}, values)
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, texts)
	}
	one, two := of("one"), of("two")
	for key, o := range one {
		if two[key] != nil {
			t.Errorf("both have %s", key)
		}
		if s, ok := o.(*corev1.Service); ok {
			for name, pod := range rendered.Pods(two) {
				if rendered.Matches(s.Spec.Selector, pod.Labels) {
					t.Errorf("%s of one selects %s of two", key, name)
				}
			}
		}
	}
}

// TestImmutableFieldsStay: a release of chart 0.1 can be upgraded, with its own values and with those of today. Kubernetes refuses
// changes of these fields.
func TestImmutableFieldsStay(t *testing.T) {
	former := readFile(t, formerDir, "ci", "full-values.yaml")
	old := renderFormer(t, former)
	for name, values := range map[string]string{"its own values": former, "the values of today": readFile(t, chartDir, "ci", "full-values.yaml")} {
		t.Run(name, func(t *testing.T) { checkImmutable(t, old, mustRender(t, values)) })
	}
}

// checkImmutable compares the fields of workloads that Kubernetes does not let change.
func checkImmutable(t *testing.T, old, today map[string]any) {
	t.Helper()
	n := 0
	for key, o := range old {
		switch o := o.(type) {
		case *appsv1.Deployment:
			n++
			if d, ok := today[key].(*appsv1.Deployment); !ok || cmp.Diff(o.Spec.Selector, d.Spec.Selector) != "" {
				t.Errorf("%s: the selector has changed, or the object has gone", key)
			}
		case *appsv1.StatefulSet:
			n++
			s, ok := today[key].(*appsv1.StatefulSet)
			if !ok {
				t.Fatalf("%s has gone", key)
			}
			for _, diff := range []string{
				cmp.Diff(o.Spec.Selector, s.Spec.Selector), cmp.Diff(o.Spec.ServiceName, s.Spec.ServiceName),
				cmp.Diff(o.Spec.VolumeClaimTemplates, s.Spec.VolumeClaimTemplates), cmp.Diff(o.Spec.PodManagementPolicy, s.Spec.PodManagementPolicy),
			} {
				if diff != "" {
					t.Errorf("%s: an immutable field has changed: %s", key, diff)
				}
			}
		}
	}
	if n != 3 {
		t.Errorf("%d workloads", n)
	}
}

func TestConfigurationRollsThePods(t *testing.T) {
	sum := func(values string) string {
		return rendered.Pods(mustRender(t, values))["spectrogram"].Annotations["checksum/pipeline"]
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

// TestSpreadOfTheUsers: a constraint without a selector would count no pod, so it gets the component's; one that is given stays.
func TestSpreadOfTheUsers(t *testing.T) {
	const spread = `topologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule},
  {maxSkew: 2, topologyKey: room, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {team: audio}}}]`
	all := rendered.Pods(mustRender(t, "nats: {mode: bundled, bundled: {"+spread+"}}\noperators: {generate: {"+spread+"}}"))
	for _, component := range []string{"generate", "nats"} {
		pod := all[component]
		got := pod.Spec.TopologySpreadConstraints
		if len(got) != 2 || got[0].TopologyKey != "rack" || got[0].LabelSelector == nil || !rendered.Matches(got[0].LabelSelector.MatchLabels, pod.Labels) {
			t.Fatalf("%s: %+v", component, got)
		}
		if got[0].LabelSelector.MatchLabels["app.kubernetes.io/component"] != component {
			t.Errorf("%s: the selector %v counts others too", component, got[0].LabelSelector.MatchLabels)
		}
		if diff := cmp.Diff(map[string]string{"team": "audio"}, got[1].LabelSelector.MatchLabels); diff != "" {
			t.Errorf("%s: the user's selector: %s", component, diff)
		}
	}
}

// TestFormerValuesStillApply: values of chart 0.1 have the operators at the top level.
func TestFormerValuesStillApply(t *testing.T) {
	former := minimal + "spectrogram: {replicas: 3, workers: 4, config: {rate: 22050}}\ntrain: {persistence: {size: 20Gi}}\ngenerate: {enabled: false}"
	today := minimal + "operators: {spectrogram: {replicas: 3, workers: 4, config: {rate: 22050}}, train: {persistence: {size: 20Gi}}, generate: {enabled: false}}"
	if diff := cmp.Diff(mustRender(t, today), mustRender(t, former)); diff != "" {
		t.Error(diff)
	}
	texts, err := render(t, former)
	if err != nil {
		t.Fatal(err)
	}
	if notes := texts["wavemill/templates/NOTES.txt"]; !strings.Contains(notes, "NOTE: the values under train have moved to operators.train.") {
		t.Errorf("the notes do not say what has moved:\n%s", notes)
	}
}

// TestReusedValues: `helm upgrade --reuse-values` puts the values of chart 0.1 in place of those of this chart. It is refused, with
// what to do; --reset-then-reuse-values is not.
func TestReusedValues(t *testing.T) {
	former := rendered.Load(t, formerDir)
	for _, values := range []string{minimal, minimal + "train: {persistence: {size: 20Gi}}"} {
		c := rendered.Load(t, chartDir)
		c.Values = former.Values
		if _, err := rendered.Texts(t, c, rendered.Release(), rendered.Values(t, values)); err == nil || !strings.Contains(err.Error(), "upgrade with --reset-then-reuse-values") {
			t.Errorf("%s: %v", values, err)
		}
		mustRender(t, values)
	}
}

func TestReplicasCanBeZero(t *testing.T) {
	if d := mustRender(t, minimal+"operators: {generate: {replicas: 0}}")["Deployment/mill-wavemill-generate"].(*appsv1.Deployment); *d.Spec.Replicas != 0 {
		t.Errorf("%d replicas", *d.Spec.Replicas)
	}
}

func TestURLInASecretIsNotInThePod(t *testing.T) {
	pod := rendered.Pods(mustRender(t, "nats: {existingSecret: bus, urlKey: address}"))["generate"]
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
		if got := rendered.Pods(mustRender(t, minimal+values))["train"].Spec.Containers[0].Image; got != want {
			t.Errorf("%s: image %s, want %s", values, got, want)
		}
	}
}

// TestStrictDecodeCatchesATypo is the proof that the other tests would see a misspelt field.
func TestStrictDecodeCatchesATypo(t *testing.T) {
	texts, err := render(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		texts[name] = strings.Replace(text, "readOnlyRootFilesystem", "readOnlyRootFileSystem", 1)
	}
	if _, err := rendered.Decode(texts); err == nil || !strings.Contains(err.Error(), "readOnlyRootFileSystem") {
		t.Errorf("a misspelt field was accepted: %v", err)
	}
}

func TestLint(t *testing.T) {
	for _, name := range rendered.Files() {
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
	texts, err := render(t, minimal+"pipeline: {name: drums}\noperators: {train: {persistence: {enabled: false}}}")
	if err != nil {
		t.Fatal(err)
	}
	notes := texts["wavemill/templates/NOTES.txt"]
	for _, want := range []string{"drums.audio.LABEL", "drums.generate", "drums.dlq.<operator>", "NOTE: operators.train.persistence is off"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q:\n%s", want, notes)
		}
	}
}
