"""A net as a PyTorch module of its own: one file that needs torch alone, and its weights beside it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from torch import Tensor

from solver_cli.caffe_pb2 import NetState, Phase
from solver_cli.errors import ConfigError, Error
from solver_cli.export import torch_forks as _forks  # noqa: F401 - registers its rules
from solver_cli.export import torch_layers as _layers  # noqa: F401 - registers its rules
from solver_cli.export import torch_losses
from solver_cli.export import torch_regions as _regions  # noqa: F401 - registers its rules
from solver_cli.export import torch_steps as _steps  # noqa: F401 - registers its rules
from solver_cli.export.blocks import Block, Stretch, find, stretches
from solver_cli.export.deploy import Step, joined, trunk
from solver_cli.export.pieces import STATISTICS, Piece, Writer, identifier, number
from solver_cli.export.reading import check_said, refuse
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.net.weights import titles
from solver_cli.registry import Shape
from solver_cli.text.netspec import NetSpec, state

RESULTS = "What the net gives in testing."
LOAD = '''
    def load_weights(self, path: str) -> None:
        """Take the weights that solver-tools export has written beside this file."""
        self.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
'''


class Module:
    """The source of a net's module, and the state dict that goes with it."""

    def __init__(self, net: NetSpec, shapes: Sequence[Shape], weights: str | None):
        """`net` with the level and stages of its state, but in no phase. Raises Error for what PyTorch does not say."""
        train, test = trunk(_phase(net, "TRAIN"), shapes), trunk(_phase(net, "TEST"), shapes)
        if not any(step.kind.loss for step in train.heads):
            train = replace(test, heads=[])
        both, aside, more = joined(train, test)
        self.file = Path(net.file).name
        self.net = Net(both.with_state(state("TEST")), seed=1)
        if weights:
            self.net.load(weights)
        self.writer = Writer()
        self.names: dict[str, str] = {}  # {blob: its variable}
        self.aside: list[Piece] = []  # of what only losses and measures read
        self.more: list[Piece] = []  # of what only testing has
        inputs = {self._variable(blob): shape for blob, shape in self.net.inputs.items()}
        self._write_layers(aside, more)
        own, others = ({x for piece in part for x in piece.ins} for part in (self.writer.pieces, self.aside + self.more))
        self.inputs = {name: shape for name, shape in inputs.items() if name in own or name not in others}
        self.losses, self.measures = [step for step in train.heads if step.kind.loss], [*test.heads, *test.unread]
        ends = {self._variable(blob) for step in (*self.losses, *test.heads) for blob in step.spec.param.bottom} | others
        ends |= {self._variable(blob) for blob in self.net.outputs}
        self.returned = [x for x in dict.fromkeys(x for piece in self.writer.pieces for x in piece.outs) if x in ends]
        self.parts = list(stretches(self.writer.pieces, self.returned))
        self.blocks = find(self.parts)
        self.notes: list[str] = []

    def _variable(self, blob: str) -> str:
        if blob not in self.names:
            name, number = identifier(blob), 1
            while name in self.names.values():
                number += 1
                name = f"{identifier(blob)}_{number}"
            self.names[blob] = name
        return self.names[blob]

    def _write_layers(self, aside: set[str], more: set[str]) -> None:
        """Write the layers; those named `aside` and `more` go into lists of their own, for they stand in other functions."""
        pairs = list(zip(self.net.nodes, titles(self.net.nodes), strict=True))
        alias: dict[str, str] = {}
        skipped: Node | None = None
        for i, (node, title) in enumerate(pairs):
            ins = [alias.get(blob) or self._variable(blob) for blob in node.bottoms]
            if node.kind.name == "Split":
                alias.update(dict.fromkeys(node.tops, ins[0]))
                continue
            if node.run is None or node is skipped or node.kind.name == "Silence":
                continue
            following = pairs[i + 1][0] if i + 1 < len(pairs) else None
            self.writer.normalised = following if following and _goes_along(node, following) else None
            skipped = self.writer.normalised
            outs = [self._variable(blob) for blob in (skipped or node).tops]
            try:
                self.writer.add(node, title, ins, outs)
                if node.name in aside | more:
                    self._set_aside(self.aside if node.name in aside else self.more)
            except Error as error:
                raise node.spec.locate(error) from None

    def _set_aside(self, pieces: list[Piece]) -> None:
        """Move the last piece into another list. Raises ConfigError for one that needs the module."""
        piece = self.writer.pieces.pop()
        if piece.init or "self." in piece.text or "{m}" in piece.text:
            refuse("learns or draws, but not in training and testing alike: export the deploy net", "include")
        pieces.append(piece)

    # -- the state dict ---------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """The weights under the names of the module."""
        return {f"{path}.{name}": value for path, piece in self._modules() for name, value in piece.state.items()}

    def multipliers(self) -> dict[str, tuple[float, float]]:
        """{parameter: what its rate and decay are multiplied by}; 0 for what Caffe does not learn."""
        found = {}
        for path, piece in self._modules():
            for name in piece.state:
                if not name.startswith(STATISTICS):
                    own = piece.learned.get(name)
                    found[f"{path}.{name}"] = (own.lr_mult, own.decay_mult) if own else (0.0, 0.0)
        return found

    def _modules(self) -> Iterator[tuple[str, Piece]]:
        """The pieces with modules, by their paths."""
        inside = {
            id(piece): f"{member.title}.{attr}"
            for block in self.blocks
            for member in block.members
            for piece, attr in zip(member.modules, block.attrs, strict=True)
        }
        yield from ((inside.get(id(piece), piece.attr), piece) for piece in self.writer.pieces if piece.init)

    @property
    def name(self) -> str:
        """What the class is called."""
        return _class_name(self.net.name or Path(self.file).stem)

    @property
    def loss_arguments(self) -> tuple[list[str], list[str]]:
        """What `loss` takes: of what the module returns, and beside it."""
        names, _ = self._needed(self.lossy)
        return [x for x in names if x in self.returned], [x for x in names if x not in self.returned]

    @property
    def lossy(self) -> list[Step]:
        return [step for step in self.losses if step.weight]

    def _needed(self, heads: Sequence[Step]) -> tuple[list[str], list[Piece]]:
        """What a function of these losses or measures is given, the module's results first, and the pieces in it."""
        names = [self._variable(blob) for step in heads for blob in step.spec.param.bottom]
        pieces: list[Piece] = []
        for piece in reversed(self.aside):
            if set(piece.outs) & set(names):
                pieces.insert(0, piece)
                names = [x for name in names for x in (piece.ins if name in piece.outs else [name])]
        return self._in_order(names), pieces

    def _in_order(self, names: Sequence[str]) -> list[str]:
        """Each once, the module's results first."""
        return [x for x in self.returned if x in names] + [x for x in dict.fromkeys(names) if x not in self.returned]

    # -- the source -------------------------------------------------------------------------------------------------

    def source(self, weights: str = "") -> str:
        """The file's text; `weights`: the name of the file beside it."""
        name = self.name
        body = [*self._class(name), *self._functions()]
        classes = [line for block in self.blocks for line in _block_source(block)]
        head = [f'"""{name}, made of {self.file} by solver-tools export.']
        if remarks := [*self.writer.comments, *self.notes]:
            head += ["", *(f"{line}" for remark in remarks for line in _wrapped(remark))]
        head[-1:] = [head[-1], '"""'] if len(head) > 1 else [head[-1] + '"""']
        helpers = [line for text in self.writer.helpers.values() for line in ["", *text.rstrip().split("\n")]]
        lines = [*head, "", "from __future__ import annotations", "", "import torch"]
        lines += ["import torch.nn.functional as F", "from torch import Tensor, nn", *helpers, *classes, *body]
        if weights:
            first = "\n".join(f"    {line}" for line in [f"net = {name}()", f'net.load_weights("{weights}")', "net.eval()"])
            lines += ["", "", 'if __name__ == "__main__":', *first.split("\n")]
            lines += [f"    print(net({', '.join(f'torch.zeros{shape}' for shape in self.inputs.values())}))"]
        text = "\n".join(lines) + "\n"
        if "F." not in text:
            text = text.replace("import torch.nn.functional as F\n", "")
        return formatted(text)

    def _class(self, name: str) -> Iterator[str]:
        blocks = {id(member): block for block in self.blocks for member in block.members}
        inits: list[str] = []
        forward: list[tuple[str, str]] = []
        for own, parts in groupby(self.parts, lambda part: id(part) in blocks):
            if own:
                for member in parts:
                    assert isinstance(member, Stretch)
                    inits.append(f"self.{member.title} = {blocks[id(member)].call(member)}")
                    forward.append((member.result, f"self.{member.title}({member.given})"))
            else:
                pieces = [piece for part in parts for piece in (part.pieces if isinstance(part, Stretch) else part)]
                inits += [f"self.{piece.attr} = {piece.init}" for piece in pieces if piece.init]
                forward += expressions(pieces)
        results, kind = self.returned, _tensors(self.returned)
        shapes = ", ".join(f"{name} {shape}" for name, shape in self.inputs.items())
        yield from (
            "",
            "",
            f"class {name}(nn.Module):",
            *_docstring(f"Takes {shapes} or another batch, gives {', '.join(results)}."),
        )
        yield from ("", "    def __init__(self) -> None:", "        super().__init__()")
        yield from (f"        {line}" for line in inits)
        yield from ("", f"    def forward(self, {', '.join(f'{x}: Tensor' for x in self.inputs)}) -> {kind}:")
        yield from (f"        {line}" for line in assigned(forward, results))
        yield f"        return {', '.join(results)}"
        yield from LOAD.rstrip().split("\n")

    def _functions(self) -> Iterator[str]:
        """What only testing has, the loss and the measures, as functions of what the module returns and of the labels."""
        if self.more:
            made = [x for piece in self.more for x in piece.outs]
            names = self._in_order([x for piece in self.more for x in piece.ins if x not in made])
            results = [x for x in dict.fromkeys(made) if x in self._ends()]
            yield from self._function("results", names, self.more, _tensors(results), ", ".join(results), RESULTS)
        if self.lossy:
            told = [(step.weight, self._head(step)) for step in self.lossy]
            terms = " + ".join(text if weight == 1 else f"{number(weight)} * {text}" for weight, text in told)
            yield from self._function("loss", *self._needed(self.lossy), "Tensor", terms, "What training makes smaller.")
        shown = [step for step in self.measures if step.kind.name in torch_losses.RULES]
        for step in self.measures:
            if step not in shown:
                self.notes.append(f"Left out: layer {step.spec.param.name} ({step.spec.param.type}).")
        if shown:
            rows = ", ".join(f'"{step.spec.param.top[0]}": {self._head(step)}' for step in shown)
            needed = self._needed(shown)
            yield from self._function("measures", *needed, "dict[str, Tensor]", f"{{{rows}}}", "What testing shows.")

    def _ends(self) -> set[str]:
        """What nothing but losses and measures reads, if anything does."""
        read = {x for piece in (*self.writer.pieces, *self.aside, *self.more) for x in piece.ins if x not in piece.outs}
        made = {x for piece in (*self.writer.pieces, *self.aside, *self.more) for x in piece.outs}
        heads = {self._variable(blob) for step in self.measures for blob in step.spec.param.bottom}
        return (made - read) | heads

    def _function(
        self, name: str, arguments: Sequence[str], pieces: Sequence[Piece], kind: str, result: str, doc: str
    ) -> Iterator[str]:
        yield from ("", "", f"def {name}({', '.join(f'{x}: Tensor' for x in arguments)}) -> {kind}:", f'    """{doc}"""')
        yield from (f"    {line}" for line in assigned(expressions(pieces), []))
        yield f"    return {result}"

    def _head(self, step: Step) -> str:
        param = step.spec.param
        try:
            rule = torch_losses.RULES.get(step.kind.name)
            if rule is None:
                raise ConfigError("has no counterpart in PyTorch's own functions", field="type")
            check_said(param)
            names = [self._variable(blob) for blob in param.bottom]
            return rule(param, names, self.net.blob_shapes.get(param.bottom[0], ()), self.writer)
        except Error as error:
            raise step.spec.locate(error) from None


def _tensors(results: Sequence[str]) -> str:
    """The type of so many results."""
    return "Tensor" if len(results) == 1 else f"tuple[{', '.join(['Tensor'] * len(results))}]"


def _phase(net: NetSpec, phase: str) -> NetSpec:
    """The net in this phase, its level and stages as they are."""
    wanted = NetState(phase=Phase.Value(phase))
    return net.with_state(wanted, wanted)


def _goes_along(node: Node, following: Node) -> bool:
    """Whether the Scale layer behind a BatchNorm goes into its module."""
    if node.kind.name != "BatchNorm" or following.kind.name != "Scale" or following.bottoms != node.tops:
        return False
    return bool(getattr(following.module, "per_channel", False)) and all(x.node is following for x in following.learned)


def expressions(pieces: Sequence[Piece], attrs: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """(variables, expression) of the pieces; what works in place on one variable stands around what made it."""
    found: list[tuple[str, str]] = []
    for piece in pieces:
        module = f"self.{(attrs or {}).get(piece.attr, piece.attr)}"
        text = piece.text.replace("{m}", module)
        if piece.in_place and found and found[-1][0] == piece.outs[0]:
            inner = found[-1][1]
            around = "({0})" in text or "({0}," in text
            found[-1] = (piece.outs[0], text.format(inner if around else f"({inner})"))
        else:
            found.append((", ".join(piece.outs), text.format(*piece.ins)))
    return found


def assigned(lines: Sequence[tuple[str, str]], results: Sequence[str]) -> Iterator[str]:
    """Assignments; what is returned says its type where it is made first."""
    told = set()
    for names, expression in lines:
        first = names in results and names not in told
        told.add(names)
        yield f"{names}{': Tensor' if first else ''} = {expression}"


def _block_source(block: Block) -> Iterator[str]:
    first = block.members[0]
    attrs = dict(zip((p.attr for p in first.modules), block.attrs, strict=True))
    variables = dict(zip(first.variables, block.variables, strict=True))
    pieces = [
        Piece(p.title, [variables[x] for x in p.ins], [variables[x] for x in p.outs], p.text, p.attr) for p in first.pieces
    ]
    result = variables[first.result]
    told = "".join(f", {name}: int" for name in block.params)
    used = ", ".join(member.title for member in block.members)
    yield from ("", "", f"class {block.name}(nn.Module):", *_docstring(f"The blocks {used}."))
    yield from ("", f"    def __init__(self{told}) -> None:", "        super().__init__()")
    yield from (f"        self.{attr} = {init}" for attr, init in zip(block.attrs, block.inits, strict=True))
    yield from ("", "    def forward(self, x: Tensor) -> Tensor:")
    yield from (f"        {line}" for line in assigned(expressions(pieces, attrs), [result]))
    yield f"        return {result}"


def _docstring(text: str) -> list[str]:
    lines = _wrapped(text)
    if len(lines) == 1:
        return [f'    """{text}"""']
    return [f'    """{lines[0]}', *(f"    {line}" for line in lines[1:]), '    """']


def _wrapped(text: str, width: int = 78) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)


def _class_name(text: str) -> str:
    """A net's name as a class's: LeNet, mnist_siamese_train_test -> MnistSiameseTrainTest."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    name = "".join(word[0].upper() + word[1:] for word in words) or "Net"
    return f"Net{name}" if name[0].isdigit() else name


def formatted(text: str) -> str:
    """The text as ruff formats it, where ruff is installed."""
    if (ruff := shutil.which("ruff")) is None:
        return text
    done = subprocess.run([ruff, "format", "--isolated", "-"], input=text, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else text
