package graph

import "slices"

// Fusion tries to replace node id by a cheaper equivalent with the same bits; it may absorb a producer only if
// free(producer) says that nobody else reads it. It reports whether it changed the node.
type Fusion func(g *Graph, id ID, free func(ID) bool) bool

type namedFusion struct {
	name string
	f    Fusion
}

var fusions []namedFusion

// RegisterFusion adds a fusion, from the init of the op that gains by it. Fusions are tried in the order of their
// names.
func RegisterFusion(name string, f Fusion) {
	fusions = append(fusions, namedFusion{name, f})
	slices.SortFunc(fusions, func(a, b namedFusion) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
}

// fuse applies fusions until nothing changes. Nodes in keep are never swallowed.
func (g *Graph) fuse(keep []ID) {
	kept := make([]bool, len(g.Nodes))
	for _, id := range keep {
		kept[id] = true
	}
	for range 8 {
		count, live := g.uses(keep)
		free := func(id ID) bool { return count[id] == 1 && !kept[id] }
		changed := false
		for i := range g.Nodes {
			if !live[i] || len(g.Nodes[i].In) == 0 {
				continue
			}
			for _, f := range fusions {
				if f.f(g, ID(i), free) {
					changed = true
					count, live = g.uses(keep)
					break
				}
			}
		}
		if !changed {
			return
		}
	}
}

// Rewrite replaces the computation of a node, keeping its id, name and shape.
func (g *Graph) Rewrite(id ID, op string, attrs any, in ...ID) {
	n := &g.Nodes[id]
	n.Op, n.Attrs, n.In = Lookup(op), attrs, slices.Clone(in)
}
