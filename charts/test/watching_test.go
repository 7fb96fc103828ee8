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
