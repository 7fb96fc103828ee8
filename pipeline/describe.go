package pipeline

import "time"

// Defaults returns the configuration that the factory's operators have without one, a struct with yaml tags; nil for a
// factory that was not made by [Typed]. It is what tools check and describe configurations by.
func (f Factory) Defaults() (config any) {
	_, _ = f(nil, Env{describe: func(defaults any) { config = defaults }})
	return config
}

// A ModelMaker is an operator that makes versions of a model in the pipeline's model store.
type ModelMaker interface {
	MakesModel() string // MakesModel returns the model's name.
}

// A ModelUser is an operator that needs a model of the pipeline's model store.
type ModelUser interface {
	UsesModel() string // UsesModel returns the model's name; empty: none, because of the configuration.
}

// A Route is what a stage reads and writes, as far as its spec and its operator say.
type Route struct {
	Stage string
	From  string // From is the stream it reads; empty: none.
	To    string // To is the stream it writes; empty: it is not known, or none.
	Makes string // Makes is the model it makes; empty: none.
	Uses  string // Uses is the model it needs; empty: none.
}

// Routes returns the routes of the stages of s in their order. A stage whose operator cannot be built has the streams that
// the spec names.
func (s Spec) Routes(reg Registry) []Route {
	s = s.withDefaults()
	own, others, _ := s.routes(reg)
	var all []Route
	for _, r := range append(own, others...) {
		all = append(all, Route{Stage: r.stage, From: r.from, To: r.to, Makes: r.makes, Uses: r.uses})
	}
	return all
}

// WithDefaults returns s with every empty field that has a default filled in.
func (s Spec) WithDefaults() Spec { return s.withDefaults() }

// DuplicateWindow is how long the streams of s remember message ids.
func (s Spec) DuplicateWindow() time.Duration { return s.duplicateWindow() }

// CheckYAML refuses a YAML document that is too large, nested too deep, or stands for too many values by its aliases. It
// returns the error of the parser for one that is not YAML.
func CheckYAML(doc []byte) error { return checkYAML(doc) }
