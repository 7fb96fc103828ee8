package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/pipeline/health"
)

// healthAnswer is the most of an answer that is read and printed, in bytes.
const healthAnswer = 4096

// healthFlags are the flags of `wavemill health`.
type healthFlags struct {
	http     string
	tlsCA    string
	ready    bool
	operator string
	timeout  time.Duration
}

func newHealth(a *app) *cobra.Command {
	var flags healthFlags
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running pipeline on this machine whether it is alive or ready",
		Long: `Health asks the --http page of "wavemill up" or "wavemill operator" and exits with 0
if the answer is yes, else with 1: a health check for containers and scripts,
without a shell or curl. It asks /livez, with --ready or --operator /readyz.`,
		Example: `  wavemill health
  wavemill health --http 127.0.0.1:9090 --ready
  wavemill health --operator generate`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.health(cmd.Context(), flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.http, "http", "127.0.0.1:8080", "host:port of the page; without a host, this machine")
	f.StringVar(&flags.tlsCA, "tls-ca", "", "PEM file with the authority of the page's certificate: ask by https (default: by http)")
	f.BoolVar(&flags.ready, "ready", false, "ask whether all operators are ready")
	f.StringVar(&flags.operator, "operator", "", "ask whether this operator is ready")
	f.DurationVar(&flags.timeout, "timeout", 4*time.Second, "longest wait for the answer")
	return cmd
}

// address returns the page's URL.
func (f healthFlags) address() (string, error) {
	host, port, err := net.SplitHostPort(f.http)
	if err != nil {
		return "", usagef("--http: %w; it is host:port, such as 127.0.0.1:8080", err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	page := "/livez"
	if f.ready {
		page = "/readyz"
	}
	if f.operator != "" {
		page = "/readyz/" + url.PathEscape(f.operator)
	}
	scheme := "http://"
	if f.tlsCA != "" {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port) + page, nil
}

// health prints the first line of the answer.
func (a *app) health(ctx context.Context, flags healthFlags) error {
	if flags.timeout <= 0 {
		return usagef("--timeout must be more than 0")
	}
	address, err := flags.address()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, flags.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	client := http.DefaultClient
	if flags.tlsCA != "" {
		if client, err = health.Client(flags.tlsCA); err != nil {
			return fmt.Errorf("--tls-ca: %w", err)
		}
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%w; was the pipeline started with --http %s?", err, flags.http)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, healthAnswer))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", address, answer.Status, line)
	}
	_, err = fmt.Fprintln(a.out, line)
	return err
}
