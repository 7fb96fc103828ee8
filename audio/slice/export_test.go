package slice

// TableSlicer is tableSlicer.
type TableSlicer = tableSlicer

// NewTable is newTable.
func NewTable(rows []Row, silent float64, rate, channels int) (*TableSlicer, error) {
	return newTable(rows, silent, rate, channels)
}
