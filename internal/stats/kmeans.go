package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Float is the type of a table's elements. Distances are summed in this type.
type Float interface{ ~float32 | ~float64 }

// EmptyRule says what becomes of a centre to which no row is nearest.
type EmptyRule uint8

const (
	// KeepEmpty leaves the centre where it is, so that it keeps its number and its meaning.
	KeepEmpty EmptyRule = iota
	// RefillEmpty moves the centre onto the row that is farthest from its own centre, so that all
	// clusters are used where there are enough different rows.
	RefillEmpty
)

// KMeansOptions say how k-means works. The zero value starts once.
type KMeansOptions struct {
	Tries  int // Starts, of which the one with the least Inertia counts; 0 means 1.
	Rounds int // At most, of each start; 0 means 100.
	Empty  EmptyRule
}

// Clusters is the result of k-means.
type Clusters[F Float] struct {
	Width   int       // Columns of a row.
	Centres []F       // [k, Width].
	Counts  []int     // Rows of each centre.
	Of      []int     // The centre of each row.
	Inertia float64   // Sum over the rows of the squared distance to their centre.
	squared []float64 // The squared distance of each row.
}

// KMeans divides the rows of x [n, width] into k clusters: k-means++ seeds (Arthur and Vassilvitskii,
// "k-means++: the advantages of careful seeding", 2007), then Lloyd's algorithm. It is deterministic for
// one state of rng. It returns an error if x is no table or has fewer than k rows.
func KMeans[F Float](x []F, width, k int, o KMeansOptions, rng *rand.Rand) (Clusters[F], error) {
	if err := checkTable(x, width); err != nil {
		return Clusters[F]{}, err
	}
	if n := len(x) / width; k < 1 || k > n {
		return Clusters[F]{}, fmt.Errorf("stats: %d clusters of %d rows; want 1 to %d", k, n, n)
	}
	var best Clusters[F]
	for i := range max(1, o.Tries) {
		c := Lloyd(x, width, GrowCentres(nil, x, width, k, rng), o)
		if i == 0 || c.Inertia < best.Inertia {
			best = c
		}
	}
	return best, nil
}

func checkTable[F Float](x []F, width int) error {
	if width < 1 || len(x) == 0 || len(x)%width != 0 {
		return fmt.Errorf("stats: %d values are no rows of %d columns", len(x), width)
	}
	return nil
}

// GrowCentres returns a copy of centres [m, width] to which rows of x [n, width] are added by k-means++
// until there are k. It returns the centres alone if there are k or more.
func GrowCentres[F Float](centres, x []F, width, k int, rng *rand.Rand) []F {
	out := slices.Clone(centres)
	n, m := len(x)/width, len(out)/width
	near := make([]float64, n)
	for i := range near {
		_, near[i] = NearestCentre(x[i*width:(i+1)*width], out)
	}
	row := func(i int) []F { return x[i*width : (i+1)*width] }
	for _, i := range PlusPlus(near, k-m, func(i, chosen int) float64 { return squaredDistance(row(i), row(chosen)) }, rng) {
		out = append(out, row(i)...)
	}
	return out
}

// PlusPlus draws count rows as k-means++ does, each with a probability in proportion to the square of its
// distance from the nearest row or centre chosen before. near holds this square for each row, +Inf for
// all if nothing has been chosen, in which case the first row is drawn uniformly; it is overwritten.
// squared returns the squared distance of rows i and chosen, in whatever metric. If every row coincides
// with one that was chosen, the last row is returned again.
func PlusPlus(near []float64, count int, squared func(i, chosen int) float64, rng *rand.Rand) []int {
	n := len(near)
	if n == 0 || count < 1 {
		return nil
	}
	var chosen []int
	if math.IsInf(near[0], 1) {
		chosen = append(chosen, rng.IntN(n))
	}
	for len(chosen) < count {
		total := 0.0
		for i := range near {
			if len(chosen) > 0 {
				near[i] = min(near[i], squared(i, chosen[len(chosen)-1]))
			}
			total += near[i]
		}
		at, next := rng.Float64()*total, n-1
		for i, d := range near {
			if at -= d; at < 0 {
				next = i
				break
			}
		}
		chosen = append(chosen, next)
	}
	return chosen
}

// Lloyd moves centres [k, width] to the means of the rows of x [n, width] nearest to them, until no row
// changes its centre or o.Rounds have passed. It ignores o.Tries. Of centres at equal distances the first
// counts. The result's Centres are a copy; Of, Counts and Inertia belong to the last assignment.
func Lloyd[F Float](x []F, width int, centres []F, o KMeansOptions) Clusters[F] {
	n, k := len(x)/width, len(centres)/width
	c := Clusters[F]{Width: width, Centres: slices.Clone(centres), Counts: make([]int, k), Of: slices.Repeat([]int{-1}, n), squared: make([]float64, n)}
	rounds := o.Rounds
	if rounds < 1 {
		rounds = 100
	}
	means := make([]float64, len(centres))
	for range rounds {
		if !c.assign(x, means) {
			break
		}
		c.move(x, means, o.Empty)
	}
	return c
}

// assign finds the nearest centre of each row, sums the rows of each, and reports whether any changed.
func (c *Clusters[F]) assign(x []F, sums []float64) bool {
	clear(sums)
	clear(c.Counts)
	c.Inertia = 0
	changed := false
	for i := range c.Of {
		row := x[i*c.Width : (i+1)*c.Width]
		j, d := NearestCentre(row, c.Centres)
		changed = changed || j != c.Of[i]
		c.Of[i], c.squared[i] = j, d
		c.Inertia += d
		c.Counts[j]++
		sum := sums[j*c.Width : (j+1)*c.Width]
		for p, v := range row {
			sum[p] += float64(v)
		}
	}
	return changed
}

// move puts the centres onto the means of their rows.
func (c *Clusters[F]) move(x []F, sums []float64, rule EmptyRule) {
	for j, count := range c.Counts {
		centre := c.Centres[j*c.Width : (j+1)*c.Width]
		if count > 0 {
			for p := range centre {
				centre[p] = F(sums[j*c.Width+p] / float64(count))
			}
			continue
		}
		if rule == RefillEmpty {
			far := 0
			for i, d := range c.squared {
				if d > c.squared[far] {
					far = i
				}
			}
			c.squared[far] = 0 // The next empty centre takes another row.
			copy(centre, x[far*c.Width:(far+1)*c.Width])
		}
	}
}

// NearestCentre returns the number of the centre [k, len(row)] nearest to a row, of equals the first, and
// the square of its Euclidean distance: 0 and +Inf if there is no centre.
func NearestCentre[F Float](row, centres []F) (k int, squared float64) {
	squared = math.Inf(1)
	for j := range len(centres) / len(row) {
		if d := squaredDistance(row, centres[j*len(row):(j+1)*len(row)]); d < squared {
			k, squared = j, d
		}
	}
	return k, squared
}

func squaredDistance[F Float](a, b []F) float64 {
	var sum F
	b = b[:len(a)]
	for i, v := range a {
		d := v - b[i]
		sum += d * d
	}
	return float64(sum)
}
