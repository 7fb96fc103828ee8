package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// A rule gives a label to names that match. Names are in lower case, with single spaces between words and numbers.
type rule struct {
	label   string
	pattern *regexp.Regexp
}

// rules are tried in this order: a "snare roll" is no single stroke, a "snare rim" a snare.
func rules() []rule {
	var out []rule
	for _, r := range [][2]string{
		{"", `roll|choke|swish|hat swi?s?|loop|flam|empty sample|brush`}, // no single stroke
		{"clap", `(hand )?claps?`},
		{"cowbell", `cow ?bell`},
		{"tambourine", `tambourine|tamb`},
		{"snare", `snares?|sn|sd`},
		{"rim", `side ?stick|stick|rim click|rim|rs`},
		{"kick", `kicks?|bass ?drum|bd`},
		{"pedal-hat", `(hi ?hat|hat|hh|hhat).* (pedal|pd|foot)|pedal (hi ?hat|hat|hh)|hh ?pedal`},
		{"open-hat", `(hi ?hat|hat|hh|hhat).* (semi )?(open|opened|op|semiopen)|(open|opened|semi open) ?(hi ?hat|hat|hh)|ohh|o ?hh|hhopen|openhat`},
		{"closed-hat", `(hi ?hat|hat|hh|hhat).* (closed|cl)|(closed|close) ?(hi ?hat|hat|hh)|chh|hhclosed|closehihat`},
		{"tom", `(floor ?)?toms?|tomh|tomhi|tom(low|mid|high|floor)|floortom`},
		{"cymbal", `crash|ride|splash|china|cymbal|(paiste|zildjian|sabian) bell`},
	} {
		out = append(out, rule{r[0], regexp.MustCompile(`(^| )(` + r[1] + `)( |$)`)})
	}
	return out
}

// classify gives the label of a sample by its instrument's name and its file's. Where both have one they must agree: a kit
// may use a tom as its kick. Where there is no label it gives the reason.
func classify(instrument, file string) (label, reason string) {
	all := rules()
	byName, known := match(all, words(instrument))
	byFile, fileKnown := match(all, words(strings.TrimSuffix(file, filepath.Ext(file))))
	switch {
	case known && byName == "" || fileKnown && byFile == "":
		return "", "no single stroke of an instrument"
	case known && fileKnown && byName != byFile:
		return "", fmt.Sprintf("its instrument is a %s, its file a %s", byName, byFile)
	case known:
		return byName, ""
	case fileKnown:
		return byFile, ""
	}
	return "", "neither instrument nor file say what it is"
}

func match(all []rule, name string) (label string, known bool) {
	for _, r := range all {
		if r.pattern.MatchString(name) {
			return r.label, true
		}
	}
	return "", false
}

// words separates a name into words and numbers: "PearlTom1" is "pearl tom 1", "HandClap-Soft" is "hand clap soft".
func words(name string) string {
	var b strings.Builder
	var last rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			r = ' '
		case unicode.IsUpper(r) && unicode.IsLower(last),
			unicode.IsDigit(r) != unicode.IsDigit(last):
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
		last = r
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// slug is a name in lower case, of letters, digits, dots and hyphens.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' {
			r = '-'
		}
		b.WriteRune(r)
	}
	return strings.Trim(b.String(), "-.")
}
