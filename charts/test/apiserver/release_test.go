package apiservertest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"

	"wavemill/charts/test/rendered"
)

const (
	chartDir = "../../wavemill"
	// formerDir has chart 0.1.0 as it was published.
	formerDir = "../testdata/wavemill-0.1.0"
	name      = "mill"
	minimal   = rendered.Minimal
)

// helm is Helm in a namespace.
type helm struct {
	*space
	config *action.Configuration
}

func newHelm(t *testing.T, kubeconfig, namespace string) *helm {
	t.Helper()
	h := &helm{space: newSpace(t, kubeconfig, namespace), config: action.NewConfiguration()}
	if err := h.config.Init(getter(t, kubeconfig, namespace, h.space), namespace, "secret"); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *helm) install(c *chart.Chart, values map[string]any) (*release.Release, error) {
	do := action.NewInstall(h.config)
	do.ReleaseName, do.Namespace, do.WaitStrategy, do.Timeout = name, h.name, kube.HookOnlyStrategy, patience
	done, err := do.RunWithContext(h.t.Context(), c, values)
	if err != nil {
		return nil, err
	}
	return done.(*release.Release), nil
}

func (h *helm) upgrade(c *chart.Chart, values map[string]any) (*release.Release, error) {
	do := action.NewUpgrade(h.config)
	do.Namespace, do.WaitStrategy, do.Timeout = h.name, kube.HookOnlyStrategy, patience
	done, err := do.RunWithContext(h.t.Context(), name, c, values)
	if err != nil {
		return nil, err
	}
	return done.(*release.Release), nil
}

func (h *helm) rollback(version int) error {
	do := action.NewRollback(h.config)
	do.Version, do.WaitStrategy, do.Timeout = version, kube.HookOnlyStrategy, patience
	return do.Run(name)
}

func (h *helm) uninstall() error {
	do := action.NewUninstall(h.config)
	do.WaitStrategy, do.Timeout = kube.HookOnlyStrategy, patience
	_, err := do.Run(name)
	return err
}

// admitAll makes every pod of a release, those of hooks and of helm test included, and returns how many there are and which are
// refused.
func (h *helm) admitAll(r *release.Release) (n int, refused map[string]error) {
	h.t.Helper()
	all := templates(h.t, r.Manifest)
	for _, hook := range r.Hooks {
		maps.Copy(all, templates(h.t, hook.Manifest))
	}
	refused = map[string]error{}
	for what, template := range all {
		if err := h.admit(h.t.Context(), template); err != nil {
			refused[what] = err
		}
	}
	return len(all), refused
}

// settled fails for every warning of the server and every refused pod of a hook, and wants as many hooks to have run.
func (h *helm) settled(jobs int) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, text := range h.warnings {
		h.t.Errorf("warning of the server: %s", text)
	}
	for _, err := range h.refused {
		h.t.Errorf("hook: %v", err)
	}
	if h.jobs != jobs {
		h.t.Errorf("%d Jobs of hooks, want %d", h.jobs, jobs)
	}
}

// TestReleases needs minutes for the first build of the servers.
func TestReleases(t *testing.T) {
	kubeconfig := serve(t)
	for name, test := range map[string]func(*testing.T, string){"values": testValues, "former chart": testFormerChart, "refusals": testRefusals} {
		t.Run(name, func(t *testing.T) { test(t, kubeconfig) })
	}
}

// testValues installs each values file of the chart, upgrades it, rolls it back, and uninstalls it. Nothing may be refused or warned
// of, each pod must be admitted, the roll-back must restore every object, and nothing may be left.
func testValues(t *testing.T, kubeconfig string) {
	for _, of := range rendered.Files() {
		t.Run(of, func(t *testing.T) {
			h := newHelm(t, kubeconfig, "release-"+of)
			text, c := rendered.File(t, chartDir, "ci", of+"-values.yaml"), rendered.Load(t, chartDir)
			first, err := h.install(c, rendered.Values(t, text))
			if err != nil {
				t.Fatal("install: ", err)
			}
			pods, refused := h.admitAll(first)
			for what, err := range refused {
				t.Errorf("%s: %v", what, err)
			}
			installed := h.objects()
			t.Logf("%d objects, %d pods admitted", len(installed), pods)
			if len(installed) < 6 || pods < 2 {
				t.Errorf("installed %v", slices.Sorted(maps.Keys(installed)))
			}

			second, err := h.upgrade(c, rendered.Values(t, text, "log: {level: debug}\nhttp: {port: 9090}\npipeline: {streams: {max_age: 48h}}"))
			if err != nil {
				t.Fatal("upgrade: ", err)
			}
			_, refused = h.admitAll(second)
			for what, err := range refused {
				t.Errorf("after the upgrade: %s: %v", what, err)
			}
			if cmp.Equal(installed, h.objects()) {
				t.Error("the upgrade has changed no object")
			}

			if err := h.rollback(1); err != nil {
				t.Fatal("roll back: ", err)
			}
			if diff := cmp.Diff(installed, h.objects()); diff != "" {
				t.Errorf("the roll-back differs from what was installed:\n%s", diff)
			}

			if err := h.uninstall(); err != nil {
				t.Fatal("uninstall: ", err)
			}
			if left := h.objects(); len(left) > 0 {
				t.Errorf("left: %v", slices.Sorted(maps.Keys(left)))
			}
			jobs := 3 // The hook of the installation, of the upgrade and of the roll-back.
			if of == "embedded" {
				jobs = 0 // The server makes its own streams.
			}
			h.settled(jobs)
		})
	}
}

// testFormerChart upgrades what chart 0.1 installed.
func testFormerChart(t *testing.T, kubeconfig string) {
	h := newHelm(t, kubeconfig, "former")
	if _, err := h.install(rendered.Load(t, formerDir), rendered.Values(t, rendered.File(t, formerDir, "ci", "full-values.yaml"))); err != nil {
		t.Fatal("install: ", err)
	}
	if _, err := h.upgrade(rendered.Load(t, chartDir), rendered.Values(t, rendered.File(t, chartDir, "ci", "full-values.yaml"))); err != nil {
		t.Fatal("upgrade: ", err)
	}
	h.settled(1)
}

// testRefusals shows that the checks of the other tests can fail: a pod with more rights than the standard allows is refused and
// warned of, an unknown field is refused, and a field that README.md calls immutable is.
func testRefusals(t *testing.T, kubeconfig string) {
	h := newHelm(t, kubeconfig, "refusals")
	c := rendered.Load(t, chartDir)
	first, err := h.install(c, rendered.Values(t, minimal))
	if err != nil {
		t.Fatal(err)
	}
	h.settled(1)

	privileged := templates(t, first.Manifest)["Deployment/mill-wavemill-generate"]
	yes := true
	s := privileged.Spec.Containers[0].SecurityContext
	s.Privileged, s.AllowPrivilegeEscalation = &yes, &yes
	if err := h.admit(t.Context(), privileged); err == nil || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
		t.Errorf("a privileged pod: %v", err)
	}

	_, err = h.upgrade(c, rendered.Values(t, minimal, "operators: {train: {persistence: {size: 9Gi}}}"))
	if err == nil || !strings.Contains(err.Error(), "spec.volumeClaimTemplates") || !strings.Contains(err.Error(), "field is immutable") {
		t.Errorf("a volume of another size: %v", err)
	}
	_, err = h.upgrade(c, rendered.Values(t, minimal, "extraObjects: [{apiVersion: v1, kind: Service, metadata: {name: more}, spec: {prots: [{port: 80}]}}]"))
	if err == nil || !strings.Contains(err.Error(), "prots") {
		t.Errorf("an unknown field: %v", err)
	}

	weak, err := h.upgrade(c, rendered.Values(t, minimal, "securityContext: {allowPrivilegeEscalation: true}"))
	if err != nil {
		t.Fatal(err)
	}
	if n, refused := h.admitAll(weak); n < 5 || len(refused) != n {
		t.Errorf("%d of %d pods that may gain privileges are refused", len(refused), n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.warnings) == 0 || len(h.refused) == 0 {
		t.Errorf("warnings %q, refused pods of hooks %v", h.warnings, h.refused)
	}
}
