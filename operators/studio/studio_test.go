package studio_test

import (
	"encoding/json"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"wavemill/operators/studio"
	"wavemill/operators/studio/bus"
	"wavemill/operators/studio/page"
	"wavemill/operators/studio/sounds"
	"wavemill/operators/studio/trainings"
)

var quiet = slog.New(slog.DiscardHandler)

// routes are all addresses of the API, as METHOD /path.
func routes(t *testing.T) []string {
	t.Helper()
	manager, err := trainings.Open(t.Context(), trainings.Options{Dir: t.TempDir(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Close)
	parts := []studio.Part{sounds.New(sounds.Options{Log: quiet}), manager, bus.New(nil, nil, quiet)}
	all := studio.Own(studio.Options{Parts: parts})
	for _, p := range parts {
		all = append(all, p.Routes()...)
	}
	var names []string
	for _, r := range all {
		names = append(names, r.Method+" "+r.Path)
	}
	slices.Sort(names)
	return names
}

// documented are the operations of openapi.yaml.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := fs.ReadFile(page.Files(), "openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string                    `yaml:"openapi"`
		Paths   map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var names []string
	for path, operations := range doc.Paths {
		for method, o := range operations {
			if method == "parameters" {
				continue
			}
			names = append(names, strings.ToUpper(method)+" "+path)
			operation, _ := o.(map[string]any)
			if operation["summary"] == nil || operation["responses"] == nil {
				t.Errorf("%s %s has no summary or no responses", method, path)
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestEveryRouteIsDocumented(t *testing.T) {
	got, want := documented(t), routes(t)
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("openapi.yaml lacks %s", name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("openapi.yaml has %s, which the server does not answer", name)
		}
	}
}

// modules are the page's JavaScript modules, by name.
func modules(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(page.Files(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && path.Ext(name) == ".js" {
			var text []byte
			text, err = fs.ReadFile(page.Files(), name)
			all[name] = string(text)
		}
		return err
	})
	if err != nil || len(all) < 5 {
		t.Fatal(len(all), err)
	}
	return all
}

func TestPageUsesDocumentedRoutes(t *testing.T) {
	var known []*regexp.Regexp
	parameter := regexp.MustCompile(`\\\{\w+\\\}`)
	for _, name := range documented(t) {
		_, path, _ := strings.Cut(name, " ")
		known = append(known, regexp.MustCompile("^"+parameter.ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)+"$"))
	}
	address := regexp.MustCompile("[`'\"](/api/[^`'\"?]*)")
	value := regexp.MustCompile(`\$\{[^}]*\}`)
	used := 0
	for name, text := range modules(t) {
		for _, found := range address.FindAllStringSubmatch(text, -1) {
			used++
			path := value.ReplaceAllString(found[1], "x")
			if !slices.ContainsFunc(known, func(r *regexp.Regexp) bool { return r.MatchString(path) }) {
				t.Errorf("%s asks for %s, which openapi.yaml does not have", name, found[1])
			}
		}
	}
	if used < 30 {
		t.Errorf("only %d addresses were found in the modules", used)
	}
}

func TestEveryLanguageHasEveryMessage(t *testing.T) {
	text, err := fs.ReadFile(page.Files(), "messages.json")
	if err != nil {
		t.Fatal(err)
	}
	var table map[string]map[string]string
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(table)); !slices.Equal(got, []string{"de", "en", "zh"}) {
		t.Fatalf("languages: %v", got)
	}
	value := regexp.MustCompile(`\{\w+\}`)
	for key, english := range table["en"] {
		for language, messages := range table {
			if strings.TrimSpace(messages[key]) == "" {
				t.Errorf("%s lacks %q", language, key)
			}
			if got, want := values(value, messages[key]), values(value, english); !slices.Equal(got, want) && !strings.Contains(key, "label_rule") && key != "drop_hint" {
				t.Errorf("%s: %q has the values %v, want %v", language, key, got, want)
			}
		}
	}
	for language, messages := range table {
		if len(messages) != len(table["en"]) {
			t.Errorf("%s has %d messages, English %d", language, len(messages), len(table["en"]))
		}
	}
	checkUse(t, table["en"])
}

func values(r *regexp.Regexp, text string) []string {
	found := r.FindAllString(text, -1)
	slices.Sort(found)
	return found
}

// checkUse compares the messages with the keys that markup and modules name.
func checkUse(t *testing.T, messages map[string]string) {
	t.Helper()
	markup, err := fs.ReadFile(page.Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	all := string(markup) + strings.Join(slices.Collect(maps.Values(modules(t))), "\n")
	named := map[string]bool{}
	for _, r := range []string{`data-t(?:-label)?="(\w+)"`, `\bt\('(\w+)'`, `\b(?:button|slider|act|fact)\('(\w+)'`, `change\(v, '(\w+)'`, `\bt: '(\w+)'`} {
		for _, found := range regexp.MustCompile(r).FindAllStringSubmatch(all, -1) {
			named[found[1]] = true
		}
	}
	for key := range named {
		if messages[key] == "" && key != "key" {
			t.Errorf("the page names the message %q, which is not in the table", key)
		}
	}
	for key := range messages {
		quoted := strings.Contains(all, "'"+key+"'") || named[key]
		if !quoted && !strings.HasPrefix(key, "state_") && !strings.HasPrefix(key, "version_") {
			t.Errorf("no part of the page uses the message %q", key)
		}
	}
}

// TestNothingIsInline checks what the policy would refuse in a browser, and that the page needs no other host.
func TestNothingIsInline(t *testing.T) {
	markup, err := fs.ReadFile(page.Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`<style`, ` style=`, `<script>`, ` onclick=`, ` onload=`, `javascript:`, `http://`, `https://`, `<base`, `<form action`} {
		if strings.Contains(string(markup), bad) {
			t.Errorf("index.html has %q", bad)
		}
	}
	for name, text := range modules(t) {
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https://", ".setAttribute('style'"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q: text of labels and files must stay text", name, bad)
			}
		}
	}
}
