package models

// An Average is an exponential mean with a memory of about fifty values, without bias at the beginning.
type Average struct {
	Sum    float64 `json:"sum"`
	Weight float64 `json:"weight"`
}

// Averages are named averages.
type Averages map[string]*Average

// Add takes v into the mean.
func (a *Average) Add(v float64) {
	const keep = 0.98
	a.Sum, a.Weight = keep*a.Sum+(1-keep)*v, keep*a.Weight+(1-keep)
}

// Value returns the mean, 0 for no values.
func (a *Average) Value() float64 {
	if a.Weight == 0 {
		return 0
	}
	return a.Sum / a.Weight
}

func (a Averages) add(name string, v float64) {
	if a[name] == nil {
		a[name] = &Average{}
	}
	a[name].Add(v)
}

func (a Averages) clone() Averages {
	c := Averages{}
	for name, v := range a {
		c[name] = &Average{v.Sum, v.Weight}
	}
	return c
}

// values are the means by name.
func (a Averages) values() Losses {
	l := Losses{}
	for name, v := range a {
		l[name] = v.Value()
	}
	return l
}
