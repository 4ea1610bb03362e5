"""The tree that a site's nodes make."""

from collections.abc import Iterator, Mapping, Sequence

from chargebus_smart_charging.sites.domain.site import Node, Site


def downwards(nodes: Sequence[Node]) -> list[Node]:
    """Return nodes that make a tree, each after its parent; siblings stay in their order."""
    below: dict[str | None, list[Node]] = {}
    for node in nodes:
        below.setdefault(node.parent_id, []).append(node)
    ordered: list[Node] = []
    open_nodes = list(reversed(below.get(None, ())))
    while open_nodes:
        node = open_nodes.pop()
        ordered.append(node)
        open_nodes.extend(reversed(below.get(node.node_id, ())))
    return ordered


def upwards(by_id: Mapping[str, Node], node_id: str) -> Iterator[Node]:
    """Yield a node and those above it, up to the root; stops where it would come round again."""
    seen: set[str] = set()
    at: str | None = node_id
    while at is not None and at in by_id and at not in seen:
        seen.add(at)
        yield by_id[at]
        at = by_id[at].parent_id


def label(node: Node) -> str:
    """Return what people call a node."""
    return node.name or node.node_id


def root(site: Site) -> Node:
    """Return a site's grid connection."""
    return next(node for node in site.nodes if node.parent_id is None)
