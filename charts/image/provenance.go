package main

import v1 "github.com/google/go-containerregistry/pkg/v1"

// A statement says what was built from what: an in-toto statement (v1) with SLSA provenance (v1.0) as predicate. It is not
// signed, and has no times, so that two builds have the same.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type predicate struct {
	BuildDefinition definition `json:"buildDefinition"`
	RunDetails      details    `json:"runDetails"`
}

type definition struct {
	BuildType            string         `json:"buildType"`
	ExternalParameters   map[string]any `json:"externalParameters"`
	ResolvedDependencies []source       `json:"resolvedDependencies"`
}

type details struct {
	Builder map[string]string `json:"builder"`
}

type source struct {
	Name        string            `json:"name"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// newStatement makes the statement of an index of binaries.
func newStatement(index v1.ImageIndex, binaries []binary, n name) (statement, error) {
	digest, err := index.Digest()
	if err != nil {
		return statement{}, err
	}
	var platforms []string
	for _, b := range binaries {
		platforms = append(platforms, b.platform.String())
	}
	s := statement{
		Type:          "https://in-toto.io/Statement/v1",
		Subject:       []subject{{n.repository, map[string]string{digest.Algorithm: digest.Hex}}},
		PredicateType: "https://slsa.dev/provenance/v1",
		Predicate: predicate{
			BuildDefinition: definition{
				BuildType:          "urn:wavemill:charts/image",
				ExternalParameters: map[string]any{"platforms": platforms, "tag": n.tag},
			},
			RunDetails: details{Builder: map[string]string{"id": "urn:wavemill:charts/image"}},
		},
	}
	if len(binaries) == 0 {
		return s, nil
	}
	b := binaries[0]
	wavemill := source{Name: "wavemill", Annotations: map[string]string{"modified": b.setting("vcs.modified")}}
	if revision := b.setting("vcs.revision"); revision != "" {
		wavemill.Digest = map[string]string{"gitCommit": revision}
	}
	s.Predicate.BuildDefinition.ResolvedDependencies = []source{wavemill, {Name: b.info.GoVersion}}
	return s, nil
}
