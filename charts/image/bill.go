package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"
)

// newBill makes the bill of materials of a binary's image (SPDX 2.3): the program with its digest, and the modules that the
// Go command recorded in it, with their versions and sums. The same binary has the same bill.
func newBill(b binary, n name) (*spdx.Document, error) {
	data, err := os.ReadFile(b.path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	program := &spdx.Package{
		PackageName: "wavemill", PackageSPDXIdentifier: "Package-wavemill", PackageVersion: n.tag,
		PackageDownloadLocation: "NOASSERTION", PackageLicenseConcluded: "Apache-2.0", PackageLicenseDeclared: "Apache-2.0", PackageCopyrightText: "NOASSERTION",
		PrimaryPackagePurpose: "APPLICATION",
		PackageChecksums:      []common.Checksum{{Algorithm: common.SHA256, Value: digest}},
	}
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      fmt.Sprintf("%s for %s", n, b.platform),
		DocumentNamespace: "urn:wavemill:sbom:sha256:" + digest,
		CreationInfo: &spdx.CreationInfo{
			Created:  epoch.Format("2006-01-02T15:04:05Z"), // the same for the same binary
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "wavemill-charts-image"}},
		},
		Packages: []*spdx.Package{program, goPackage(b.info.GoVersion)},
		Relationships: []*spdx.Relationship{
			{RefA: common.MakeDocElementID("", "DOCUMENT"), RefB: common.MakeDocElementID("", string(program.PackageSPDXIdentifier)), Relationship: "DESCRIBES"},
		},
	}
	modules := slices.Clone(b.info.Deps)
	slices.SortFunc(modules, func(a, b *debug.Module) int { return strings.Compare(a.Path, b.Path) })
	for _, m := range modules {
		doc.Packages = append(doc.Packages, modulePackage(m))
	}
	for _, p := range doc.Packages[1:] {
		doc.Relationships = append(doc.Relationships, &spdx.Relationship{
			RefA: common.MakeDocElementID("", string(program.PackageSPDXIdentifier)), RefB: common.MakeDocElementID("", string(p.PackageSPDXIdentifier)), Relationship: "DEPENDS_ON",
		})
	}
	return doc, nil
}

// goPackage is the standard library and run time of a Go version such as go1.26.0.
func goPackage(version string) *spdx.Package {
	version = strings.TrimPrefix(version, "go")
	return dependency("Package-go-stdlib", "stdlib", version, "pkg:golang/stdlib@"+version)
}

// modulePackage is a module, or the one that replaces it.
func modulePackage(m *debug.Module) *spdx.Package {
	if m.Replace != nil {
		m = m.Replace
	}
	p := dependency("Package-"+identifier(m.Path), m.Path, m.Version, "pkg:golang/"+m.Path+"@"+m.Version)
	p.PackageComment = "go.sum " + m.Sum
	return p
}

// dependency is a package of which no more than its name, version and package URL is known.
func dependency(id, name, version, purl string) *spdx.Package {
	return &spdx.Package{
		PackageName: name, PackageSPDXIdentifier: common.ElementID(id), PackageVersion: version,
		PackageDownloadLocation: "NOASSERTION", PackageLicenseConcluded: "NOASSERTION", PackageLicenseDeclared: "NOASSERTION", PackageCopyrightText: "NOASSERTION",
		PackageExternalReferences: []*spdx.PackageExternalReference{{Category: "PACKAGE-MANAGER", RefType: "purl", Locator: purl}},
	}
}

// identifier turns a module's path into an SPDX identifier: letters, digits, dots and hyphens.
func identifier(path string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.':
			return r
		}
		return '-'
	}, path)
}
