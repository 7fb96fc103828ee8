package charttest

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"wavemill/charts/test/rendered"
)

// documented returns the metrics of the table in docs/watching.md, which a test of the binary compares with what it serves.
func documented(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(wavemill_operator_[a-z_]+)` \\|").FindAllStringSubmatch(readFile(t, "..", "..", "docs", "watching.md"), -1) {
		names = append(names, m[1])
	}
	if len(names) < 20 {
		t.Fatalf("docs/watching.md has %d metrics", len(names))
	}
	return names
}

// checkExpression parses an expression and reports metrics that the binary does not have.
func checkExpression(t *testing.T, where, text string, known []string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		t.Errorf("%s: %q: %v", where, text, err)
		return
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		name := s.Name
		if base, isBucket := strings.CutSuffix(name, "_bucket"); isBucket {
			name = base
		}
		if !slices.Contains(known, name) {
			t.Errorf("%s: %q: there is no metric %s", where, text, s.Name)
		}
		return nil
	})
}

// The rules are those that promtool accepts, and every metric in them exists.
func TestRules(t *testing.T) {
	known := documented(t)
	files, err := filepath.Glob(filepath.Join(chartDir, "rules", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	alerts := map[string]bool{}
	for _, file := range files {
		groups, errs := rulefmt.Parse([]byte(readFile(t, file)), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
		for _, err := range errs {
			t.Errorf("%s: %v", file, err)
		}
		if groups == nil {
			continue
		}
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				checkExpression(t, r.Alert, r.Expr, known)
				if alerts[r.Alert] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
					t.Errorf("%s: it occurs twice, or has no severity, summary or description", r.Alert)
				}
				alerts[r.Alert] = true
			}
		}
	}
	page := readFile(t, "..", "..", "docs", "watching.md")
	for _, want := range []string{"WavemillBacklogGrows", "WavemillDeadLetters", "WavemillNoModel", "WavemillTrainerStalled", "WavemillLeaseLost", "WavemillDiskNearFull"} {
		if !alerts[want] {
			t.Errorf("no alert %s", want)
		}
	}
	for name := range alerts {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/watching.md does not describe %s", name)
		}
	}
}

// The dashboard is JSON of panels that do not overlap, each with expressions whose metrics exist.
func TestDashboard(t *testing.T) {
	known := documented(t)
	var dashboard struct {
		UID    string
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, chartDir, "dashboards", "wavemill.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	cells, ids := map[[2]int]string{}, map[int]bool{}
	n := 0
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: its id, its title or its width is wrong", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" {
					t.Errorf("%q covers %q", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			n++
			checkExpression(t, p.Title, strings.ReplaceAll(target.Expr, "$pipeline", "mill"), known)
		}
	}
	if dashboard.UID == "" || n < 20 {
		t.Errorf("%d expressions", n)
	}
}

// TestRenderedRules: the PrometheusRule of a release is what Prometheus takes, and its alerts look at the release's pipeline alone.
func TestRenderedRules(t *testing.T) {
	objects := mustRender(t, readFile(t, chartDir, "ci", "cluster-values.yaml"))
	rule, ok := objects["PrometheusRule/mill-wavemill"].(*rendered.PrometheusRule)
	if !ok {
		t.Fatal("no PrometheusRule")
	}
	text, err := yaml.Marshal(rule.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler)); len(errs) > 0 {
		t.Error(errs)
	}
	selectors, alerts := 0, map[string]bool{}
	for _, g := range rule.Spec.Groups {
		for _, r := range g.Rules {
			alerts[r.Alert] = true
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
			if err != nil {
				t.Fatalf("%s: %v", r.Alert, err)
			}
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				s, ok := n.(*parser.VectorSelector)
				if !ok {
					return nil
				}
				selectors++
				own := `pipeline="drums"`
				if strings.HasPrefix(s.Name, "kubelet_") {
					own = `namespace="audio"`
				}
				if !strings.Contains(s.String(), own) {
					t.Errorf("%s: %s lacks %s", r.Alert, s, own)
				}
				return nil
			})
		}
	}
	if selectors < 20 || !alerts["WavemillVolumeNearFull"] || !alerts["WavemillLeaseLost"] {
		t.Errorf("%d selectors, alerts %v", selectors, alerts)
	}
	if m, ok := objects["ServiceMonitor/mill-wavemill"].(*rendered.ServiceMonitor); !ok || !rendered.Matches(m.Spec.Selector.MatchLabels, objects["Service/mill-wavemill-metrics"].(*corev1.Service).Labels) {
		t.Error("the ServiceMonitor selects no service")
	}
	dashboard := objects["ConfigMap/mill-wavemill-dashboard"].(*corev1.ConfigMap)
	if !json.Valid([]byte(dashboard.Data["wavemill.json"])) {
		t.Error("the dashboard is no JSON")
	}
}

// TestScaling: what is scaled has no replicas of its own, and the pipeline file counts on the most that there can be.
func TestScaling(t *testing.T) {
	objects := mustRender(t, readFile(t, chartDir, "ci", "bundled-values.yaml"))
	for _, name := range []string{"spectrogram", "generate"} {
		if d := objects["Deployment/mill-wavemill-"+name].(*appsv1.Deployment); d.Spec.Replicas != nil {
			t.Errorf("%s has %d replicas, which would fight the autoscaler", name, *d.Spec.Replicas)
		}
	}
	h, ok := objects["HorizontalPodAutoscaler/mill-wavemill-generate"].(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok || *h.Spec.MinReplicas != 2 || h.Spec.MaxReplicas != 6 {
		t.Errorf("%+v", h)
	}
	file := objects["ConfigMap/mill-wavemill-pipeline"].(*corev1.ConfigMap).Data["pipeline.yaml"]
	if !strings.Contains(file, "replicas: 6") || !strings.Contains(file, "replicas: 4") {
		t.Error(file)
	}
}

// TestResourcesBecomeVariables: the Go runtime keeps within the limits of the container.
func TestResourcesBecomeVariables(t *testing.T) {
	for limit, want := range map[string]string{"1Gi": "966367641B", "512Mi": "483183820B", "500M": "450000000B", "1.5Gi": "1449551462B", "2000000000": "1800000000B"} {
		pod := rendered.Pods(mustRender(t, minimal+"operators: {generate: {resources: {limits: {memory: '"+limit+"', cpu: 1500m}}}}"))["generate"]
		env := map[string]corev1.EnvVar{}
		for _, e := range pod.Spec.Containers[0].Env {
			env[e.Name] = e
		}
		if got := env["GOMEMLIMIT"].Value; got != want {
			t.Errorf("%s: GOMEMLIMIT %s, want %s", limit, got, want)
		}
		if from := env["GOMAXPROCS"].ValueFrom; from == nil || from.ResourceFieldRef.Resource != "limits.cpu" {
			t.Errorf("GOMAXPROCS %+v", env["GOMAXPROCS"])
		}
	}
}
