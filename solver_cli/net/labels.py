"""Labels that are looked at before they travel to a GPU, where nobody could read them without waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from solver_cli.data.source import Source
from solver_cli.errors import Error
from solver_cli.layers.labels import check_labels
from solver_cli.net.plan import Node

Shape = tuple[int, ...]


class Checked:
    """A source whose labels are checked, batch by batch, against the classes of the layers that read them."""

    def __init__(self, source: Source, readers: list[tuple[int, Node, int, int | None]]):
        """`readers`: for each the source's top, the layer, its number of classes, the label that it ignores."""
        self.shapes = source.shapes
        self._source = source
        self._readers = readers

    def next_batch(self) -> tuple[Tensor, ...]:
        """The source's next batch. Raises DataError, in the reader's place, for a label that is no class."""
        batch = self._source.next_batch()
        for top, node, classes, ignored in self._readers:
            try:
                check_labels(batch[top].long(), classes, ignored)
            except Error as error:
                raise node.spec.locate(error) from None
        return batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def state_dict(self) -> dict[str, Any]:
        return self._source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._source.load_state_dict(state)

    def close(self) -> None:
        self._source.close()


def checked(node: Node, nodes: list[Node], shapes: Mapping[str, Shape]) -> Source:
    """The source of `node`, its labels checked if a layer of `nodes` reads any. `shapes`: those of all blobs."""
    assert node.source is not None
    tops = {blob: index for index, blob in enumerate(node.tops)}
    readers = []
    for reader in nodes:
        if reader.param.type == "Split" and reader.bottoms[0] in tops:
            tops.update(dict.fromkeys(reader.tops, tops[reader.bottoms[0]]))
        elif reader.kind.labels and reader.bottoms[1] in tops:
            readers.append((tops[reader.bottoms[1]], reader, *reader.kind.labels(reader.param, shapes[reader.bottoms[0]])))
        for blob in reader.tops if reader is not node and reader.param.type != "Split" else ():
            tops.pop(blob, None)  # changed in place
    return Checked(node.source, readers) if readers else node.source
