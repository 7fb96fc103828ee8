package convert

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// name gives each result its path: that of the source with another extension. Sources that differ only in their extension
// keep it in the results, "kick.flac.wav", but for one that has the extension of the results already.
func (p *plan) name() {
	if p.o.target() == NPY {
		return
	}
	extension := "." + string(p.o.target())
	stems := map[string]int{}
	for _, j := range p.jobs {
		stems[strings.TrimSuffix(j.item.Name, path.Ext(j.item.Name))]++
	}
	taken := map[string]bool{}
	var kept []string
	for i := range p.jobs {
		j := &p.jobs[i]
		ext := path.Ext(j.item.Name)
		stem := strings.TrimSuffix(j.item.Name, ext)
		if stems[stem] > 1 && ext != extension {
			stem = j.item.Name
			kept = append(kept, j.item.Name)
		}
		j.result = stem + extension
		for n := 2; taken[j.result]; n++ {
			j.result = fmt.Sprintf("%s-%d%s", stem, n, extension)
		}
		taken[j.result] = true
		j.out = filepath.Join(p.o.Out, filepath.FromSlash(j.result))
	}
	if len(kept) > 0 {
		p.notes = append(p.notes, fmt.Sprintf("names: %d files have the name of another but for the extension; their results keep it: %s becomes %s%s", len(kept), kept[0], kept[0], extension))
	}
}
