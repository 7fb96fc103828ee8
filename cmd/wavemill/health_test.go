package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/livez":
			_, _ = w.Write([]byte("alive\n"))
		case "/readyz/spectrogram":
			_, _ = w.Write([]byte("ready\n"))
		default:
			http.Error(w, "generate: no model yet", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	_, port, _ := strings.Cut(address, ":")
	for _, test := range []struct {
		args []string
		code int
		says string // on standard output or standard error
	}{
		{[]string{"--http", address}, 0, "alive"},
		{[]string{"--http", ":" + port}, 0, "alive"},
		{[]string{"--http", address, "--operator", "spectrogram"}, 0, "ready"},
		{[]string{"--http", address, "--ready"}, 1, "503 Service Unavailable: generate: no model yet"},
		{[]string{"--http", address, "--operator", "generate"}, 1, "no model yet"},
		{[]string{"--http", "nowhere"}, 2, "host:port"},
		{[]string{"--timeout", "0s"}, 2, "--timeout"},
	} {
		code, out, errOut := runCLI(t, append([]string{"health"}, test.args...)...)
		if code != test.code || !strings.Contains(out+errOut, test.says) {
			t.Errorf("health %v: exit %d, %q; want %d and %q", test.args, code, out+errOut, test.code, test.says)
		}
	}
	server.Close()
	if code, _, errOut := runCLI(t, "health", "--http", address); code != 1 || !strings.Contains(errOut, "--http") {
		t.Errorf("without a server: exit %d, %q", code, errOut)
	}
}
