"""How PyTorch says LSTM and RNN, whose states go on from pass to pass: a class of a page each."""

from __future__ import annotations

from typing import Any

from solver_cli.export.pieces import Writer, says
from solver_cli.export.reading import refuse
from solver_cli.net.plan import Node

STATES = "LSTM and RNN go on from the last pass where the first markers are not 0; `state = None` begins anew."
LSTM = '''
class LSTM(nn.Module):
    """Steps (T, N, ...) and markers (T, N), of which a 0 starts a sequence, to states (T, N, size); gates i, f, o, g."""

    def __init__(self, inputs: int, size: int, static: int = 0) -> None:
        super().__init__()
        self.weight_x = nn.Parameter(torch.zeros(4 * size, inputs))
        self.bias = nn.Parameter(torch.zeros(4 * size))
        self.weight_static = nn.Parameter(torch.zeros(4 * size, static)) if static else None
        self.weight_h = nn.Parameter(torch.zeros(4 * size, size))
        self.state: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor, markers: Tensor, static: Tensor | None = None) -> Tensor:
        given = F.linear(x.flatten(2), self.weight_x, self.bias)
        if static is not None and self.weight_static is not None:
            given = given + F.linear(static.flatten(1), self.weight_static)
        zeros = x.new_zeros(x.shape[1], self.weight_h.shape[1])
        h, c = self.state if self.state is not None and self.state[0].shape == zeros.shape else (zeros, zeros)
        tops = []
        for step, marker in zip(given, markers.detach().unsqueeze(2), strict=True):
            i, f, o, g = (step + F.linear(marker * h, self.weight_h)).chunk(4, 1)
            c = marker * f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            tops.append(h)
        self.state = h.detach(), c.detach()
        return torch.stack(tops)
'''
RNN = '''
class RNN(nn.Module):
    """Steps (T, N, ...) and markers (T, N), of which a 0 starts a sequence, to outputs (T, N, size)."""

    def __init__(self, inputs: int, size: int, static: int = 0) -> None:
        super().__init__()
        self.weight_x = nn.Parameter(torch.zeros(size, inputs))
        self.bias = nn.Parameter(torch.zeros(size))
        self.weight_static = nn.Parameter(torch.zeros(size, static)) if static else None
        self.weight_h = nn.Parameter(torch.zeros(size, size))
        self.weight_o = nn.Parameter(torch.zeros(size, size))
        self.bias_o = nn.Parameter(torch.zeros(size))
        self.state: Tensor | None = None

    def forward(self, x: Tensor, markers: Tensor, static: Tensor | None = None) -> Tensor:
        given = F.linear(x.flatten(2), self.weight_x, self.bias)
        if static is not None and self.weight_static is not None:
            given = given + F.linear(static.flatten(1), self.weight_static)
        h = x.new_zeros(x.shape[1], len(self.weight_h))
        h = self.state if self.state is not None and self.state.shape == h.shape else h
        states = []
        for step, marker in zip(given, markers.detach().unsqueeze(2), strict=True):
            h = (step + F.linear(marker * h, self.weight_h)).tanh()
            states.append(h)
        self.state = h.detach()
        return F.linear(torch.stack(states), self.weight_o, self.bias_o).tanh()
'''


@says("LSTM")
def lstm(w: Writer, node: Node) -> str:
    return _steps(w, node, LSTM)


@says("RNN")
def rnn(w: Writer, node: Node) -> str:
    return _steps(w, node, RNN)


def _steps(w: Writer, node: Node, text: str) -> str:
    m: Any = node.module
    if m.expose:
        refuse("takes and gives its states: take expose_hidden out, the class keeps them", "recurrent_param.expose_hidden")
    w.helpers[node.kind.name] = text
    w.comment(STATES)
    told = [str(m.weight_x.shape[1]), str(m.size)]
    told += [f"static={m.weight_static.shape[1]}"] if m.static else []
    bottoms = ", ".join(f"{{{i}}}" for i in range(len(node.bottoms)))
    state = dict(zip(node.blob_names, node.blobs(), strict=True))
    return w.module(node, f"{node.kind.name}({', '.join(told)})", **state) + f"({bottoms})"
