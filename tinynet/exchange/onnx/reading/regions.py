"""A graph as a chain of regions: each has one value that goes in and one that comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from tinynet._support.checks import shown
from tinynet.errors import ConversionError
from tinynet.exchange.onnx.reading.graph import Graph
from tinynet.exchange.onnx.reading.node import Node


@attrs.frozen
class Region:
    """Nodes that compute `end` from `begin` and constants.

    A node by itself is a region, unless ways part before it and come together behind it.
    """

    begin: str
    nodes: Sequence[Node]
    end: str

    @property
    def node(self) -> Node | None:
        """The node of a region that has just one."""
        return self.nodes[0] if len(self.nodes) == 1 else None

    @property
    def title(self) -> str:
        """The names of the nodes, of many the first and the last."""
        titles = [node.title for node in self.nodes]
        return ", ".join(titles if len(titles) < 6 else [*titles[:3], "...", titles[-1]])


def regions_of(graph: Graph) -> list[Region]:
    """Return the regions of a graph, in order; each node is in one of them.

    A value is the end of a region if, when it is computed, nothing that was computed before it is
    still to be used.
    """
    left = Counter(name for node in graph.nodes for name in set(node.inputs))
    left[graph.output] += 1
    regions, begin, nodes, still_used = [], graph.input, list[Node](), {graph.input}
    for node in graph.nodes:
        nodes.append(node)
        left.subtract(set(node.inputs))
        still_used -= {name for name in node.inputs if not left[name]}
        computed = {name for name in node.outputs if name and left[name]}
        still_used |= computed
        if len(still_used) == 1 and computed == still_used:
            (end,) = computed
            regions.append(Region(begin, tuple(nodes), end))
            begin, nodes = end, []
    if begin != graph.output:
        found = f"The output {shown(graph.output)} does not depend on the numbers of the input"
        raise ConversionError(f"{found}, or only on some that are computed from them.")
    return regions
