package callgate

import "fmt"

const (
	// mostDepth is how deep containers may nest, as the server's limits.depth.
	mostDepth = 100
	// mostElements is how many elements all containers of a message may have, as the server's limits.elements.
	mostElements = 10_000_000
	// nestingStride: a container at a depth that is a multiple of this is serialized on its own, in nested_value. One
	// level takes at most three messages, and the parsers of other languages take 100; see docs/adr/0003-deep-values.md.
	nestingStride = 20
)

// budget is what is left of the limits while one message is converted; used by one goroutine, for one message.
type budget struct {
	elements int
	// nested counts the Values serialized on their own that are being decoded, one inside the other.
	nested int
}

// enter takes a container of count elements at depth (1 is the outermost) off the budget; the problem is "" if it fits.
func (b *budget) enter(depth, count int) (problem string, limit int) {
	b.elements -= count
	if depth > mostDepth {
		return fmt.Sprintf("nested more than %d levels deep", mostDepth), mostDepth
	}
	if b.elements < 0 {
		return fmt.Sprintf("more than %d elements in all", mostElements), mostElements
	}
	return "", 0
}
