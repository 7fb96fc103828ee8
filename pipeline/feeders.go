package pipeline

import "slices"

// A Feeder is a stage of the spec whose messages lead to another stage, directly or through others.
type Feeder struct {
	Stage string // Stage is its name, of which its durable consumer's name is made: [Spec.ConsumerName].
	From  string // From is the stream that it reads.
}

// feeders returns the stages that write one of the streams up, see upstream, and read another one of them.
func feeders(up []string, all []route) []Feeder {
	var found []Feeder
	for _, r := range all {
		if r.from != "" && r.from != r.to && slices.Contains(up, r.to) && slices.Contains(up, r.from) {
			found = append(found, Feeder{r.stage, r.from})
		}
	}
	return found
}
