package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
)

// Typed makes a Factory of a constructor with a configuration of its own type. The YAML is decoded strictly over
// defaults: an unknown or repeated field is an error with line and column, a missing one keeps its default.
// Defaults is copied shallowly for every operator; it must not hold maps or slices that an operator changes.
func Typed[C any](defaults C, newOp func(C, Env) (Operator, error)) Factory {
	return func(config []byte, env Env) (Operator, error) {
		if env.describe != nil {
			env.describe(defaults)
			return nil, nil
		}
		c := defaults
		if err := decodeStrict(config, &c); err != nil {
			return nil, fmt.Errorf("operator %s: configuration: %w", env.Operator, err)
		}
		op, err := newOp(c, env)
		if err != nil {
			return nil, fmt.Errorf("operator %s: configuration: %w", env.Operator, err)
		}
		return op, nil
	}
}

// decodeStrict decodes one YAML document, within the limits of checkYAML, into v; one without content leaves v as it is.
func decodeStrict(doc []byte, v any) error {
	if err := checkYAML(doc); err != nil {
		return err
	}
	var content any
	if err := yaml.Unmarshal(doc, &content); err == nil && content == nil {
		return nil // Nothing, or only comments: goccy/go-yaml would clear v.
	}
	dec := yaml.NewDecoder(bytes.NewReader(doc), yaml.Strict(), yaml.DisallowUnknownField())
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return errors.New(yaml.FormatError(err, false, true))
	}
	return nil
}

// configHash returns the first 12 hexadecimal digits of a SHA-256 over the operator's registered name and its
// configuration as canonical JSON, so that comments, order and indentation do not change it.
func configHash(operator string, config []byte) (string, error) {
	var v any
	if len(bytes.TrimSpace(config)) > 0 {
		if err := checkYAML(config); err != nil {
			return "", err
		}
		if err := yaml.Unmarshal(config, &v); err != nil {
			return "", errors.New(yaml.FormatError(err, false, true))
		}
	}
	canonical, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("hash of the configuration: %w", err)
	}
	return shortHash(operator, string(canonical)), nil
}

// shortHash is 12 hexadecimal digits over its parts.
func shortHash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])[:12]
}
