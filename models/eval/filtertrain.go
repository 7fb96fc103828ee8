package eval

import (
	"context"
	"fmt"

	"wavemill/audio"
)

// TrainFilter trains a classifier on labelled recordings and returns the filter that it makes with them, with default
// limits. The errors are those of Train and NewFilter.
func TrainFilter(ctx context.Context, recordings []audio.Clip, o Options) (*Filter, error) {
	c, err := Train(ctx, recordings, o)
	if err != nil {
		return nil, err
	}
	return NewFilter(ctx, c, recordings, 0)
}

// Warning says that the classifier is not accurate enough to reject clips by their label: less than Gate on held-out
// recordings. It is "" where it is.
func (s *Filter) Warning() string {
	accuracy := s.classifier.HeldOutAccuracy()
	if accuracy >= Gate {
		return ""
	}
	return fmt.Sprintf("the classifier has an accuracy of only %.1f %% on held-out recordings, less than %.0f %%: it will reject good clips and pass bad ones", 100*accuracy, 100*Gate)
}
