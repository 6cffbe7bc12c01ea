"""A net cut into parts that a batch can run through in pieces, and layers between them that need it whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from solver_cli.errors import ConfigError
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes.records import apart, is_loss, label_counts, statistics


@dataclass(eq=False)
class Section:
    """Layers that run one after the other on a piece of the batch, or one that `joins` its records and runs on all of them.

    `mixes`: beyond that, several batches as one would not give what they give one by one. `wants`: the blobs from before
    whose gradient is wanted.
    """

    nodes: list[Node]
    joins: bool
    mixes: bool = False
    wants: set[str] = field(default_factory=set)

    @property
    def tops(self) -> set[str]:
        """The blobs that the section makes."""
        return {blob for node in self.nodes for blob in node.tops}

    @property
    def left(self) -> set[str]:
        """The blobs that the section makes and does not read."""
        made: set[str] = set()
        for node in self.nodes:
            made = made.difference(node.bottoms).union(filter(None, node.tops))
        return made

    @property
    def bottoms(self) -> list[str]:
        """The blobs that come from before the section."""
        made: set[str] = set()
        found = []
        for node in self.nodes:
            found += [blob for blob in node.bottoms if blob not in made]
            made.update(node.tops)
        return found


@dataclass(eq=False)
class Sections:
    """The sections in their order, and the layers that no loss depends on and that need the whole batch: they run last."""

    sections: list[Section]
    last: list[Node]
    records: int


def cut(net: Net) -> Sections:
    """Cut `net` so that a batch can run in pieces. Raises ConfigError that names the layer which forbids it."""
    size = records(net)
    leading = under_loss(net.nodes)
    whole = set(label_paths(net.nodes))
    read = {blob for node in net.nodes for blob in node.bottoms}
    shapes: dict[str, tuple[int, ...]] = {}
    late: set[str] = set()  # blobs that are there after all sections only
    made: set[str] = set()  # blobs that the open section makes
    joined: dict[str, Node] = {}  # blobs without a row for each record, and the layer that joined them
    result = Sections([], [], size)
    rows = Section([], joins=False)
    for node in net.nodes:
        shapes_below = [shapes[blob] for blob in node.bottoms]
        shapes.update(zip(node.tops, node.shapes, strict=True))
        if node.run is None:
            continue
        keeps = node not in whole and apart(node, shapes_below, size) and not late.intersection(node.bottoms)
        if is_loss(node) and read.intersection(node.tops):
            keeps = False
        if keeps:
            rows.nodes.append(node)
            made.update(node.tops)
        elif node not in leading:
            result.last.append(node)
            late.update(node.tops)
        else:
            _check(node, joined, size)
            mixes = statistics(node) is None and (is_loss(node) or not apart(node, shapes_below, size))
            section = Section([node], joins=True, mixes=mixes)
            if made.intersection(node.bottoms):
                result.sections.append(rows)
                rows, made = Section([], joins=False), set()
            result.sections.append(section)
            for top in node.tops:
                if shapes[top][:1] != (size,) or node.kind.dynamic:  # of whose rows nobody knows the number
                    joined[top], shapes[top] = node, ()
    if rows.nodes or not result.sections:
        result.sections.append(rows)
    _mark_gradients(result.sections)
    return result


def uncut(net: Net) -> Sections:
    """All layers of `net` as one section, for a batch that is one piece."""
    return Sections([Section([node for node in net.nodes if node.run is not None], joins=False)], [], records(net))


def records(net: Net) -> int:
    """The number of records in a batch: the first axis of the first blob of the data. Raises ConfigError."""
    for node in net.nodes:
        if node.run is None and node.shapes and node.shapes[0]:
            return node.shapes[0][0]
    raise ConfigError(f"net '{net.name}' cannot be split into micro-batches: it reads no data")


def check_window(net: Net, sections: Sections) -> None:
    """Refuse what several batches as one would change: data without a row for each record, layers but BatchNorm that join
    the records. Raises ConfigError.
    """
    size = records(net)
    for node in net.nodes:
        for top, shape in zip(node.tops, node.shapes, strict=True):
            if node.run is None and shape[:1] != (size,):
                node.spec.fail(f"batches cannot be joined, because '{top}' has not a row for each of their {size} records")
    for section in sections.sections:
        if section.mixes:
            section.nodes[0].spec.fail("batches cannot be joined, because this layer works on a batch as a whole")


def under_loss(nodes: Sequence[Node]) -> set[Node]:
    """The layers that a loss depends on."""
    below: set[str] = set()
    found = set()
    for node in reversed(nodes):
        if any(node.loss_weights) or below.intersection(node.tops):
            found.add(node)
            below.difference_update(node.tops)
            below.update(node.bottoms)
    return found


def label_paths(nodes: Sequence[Node]) -> Iterator[Node]:
    """The layers between the data and the labels of losses that count their labels, which must be known beforehand; or the
    loss itself where its labels are learned or drawn."""
    makers: dict[tuple[int, str], tuple[int, Node]] = {}
    last: dict[str, tuple[int, Node]] = {}
    for index, node in enumerate(nodes):
        makers.update({(index, blob): last[blob] for blob in node.bottoms})
        last.update(dict.fromkeys(node.tops, (index, node)))
    for index, node in enumerate(nodes):
        if not label_counts(node):
            continue
        path, open_ = [], [makers[index, node.bottoms[1]]]
        while open_:
            at, maker = open_.pop()
            if maker.run is not None:
                path.append(maker)
                open_ += [makers[at, blob] for blob in maker.bottoms]
        plain = not any(maker.learned or maker.drawing or maker.kind.once for maker in path)
        yield from path if plain else [node]


def _check(node: Node, joined: dict[str, Node], records: int) -> None:
    """Refuse a layer with weights that would run on the whole batch: nothing would be won, but below a net's last layers."""
    last = is_loss(node) or getattr(node.module, "rewrites", False)  # forks' losses and classifiers
    if last or not node.learned or not node.bottoms or statistics(node) is not None:
        return
    cause = next((joined[blob] for blob in node.bottoms if blob in joined), None)
    why = f"reads what layer '{cause.name}' ({cause.param.type}) has joined" if cause else "joins them"
    node.spec.fail(f"the {records} records of a batch cannot be split into micro-batches, because this layer {why}")


def _mark_gradients(sections: list[Section]) -> None:
    """Find the blobs between the sections that depend on something learned."""
    learned: dict[str, bool] = {}
    for section in sections:
        section.wants = {blob for blob in section.bottoms if learned.get(blob)}
        for node in section.nodes:
            wants = any(learned.get(blob) for blob in node.bottoms) or any(x.blob.requires_grad for x in node.learned)
            learned.update(dict.fromkeys(node.tops, wants))
