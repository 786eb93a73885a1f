"""Modules for layers that PyTorch has no plain module for. Examples are the first axis.

The other axes are in the order that they have here: images are (m, C, H, W), sequences (m, n, T).
The modules share the arrays, and their names, of the modules of PyTorch that they are made of.
"""

from __future__ import annotations

from typing import Any

from tinynet.exchange.torch.installed import nn, torch
from tinynet.layers.windows import padded_axis


class OfPositions(nn.Module):
    """What makes a module of PyTorch, which works along the last axis, work along axis 1."""

    def forward(self, X: Any) -> Any:
        return super().forward(X.movedim(1, -1)).movedim(-1, 1)


class LinearOfPositions(OfPositions, nn.Linear):
    """nn.Linear for each position of examples (m, n, ...)."""


class LayerNormOfPositions(OfPositions, nn.LayerNorm):
    """nn.LayerNorm for each position of examples (m, n, ...)."""


class EmbeddingOfPositions(nn.Embedding):
    """nn.Embedding whose vectors are axis 1: (m, T) becomes (m, n, T)."""

    def forward(self, X: Any) -> Any:
        return super().forward(X).movedim(-1, 1)


# Windows on a padded input. PyTorch pads both sides by the same number, which is at most half of
# a window where it pools. "same" is that of Keras: how much it is follows from the size of X.


class _Padded(nn.Module):
    """What pads X by `border` for a module of PyTorch that has windows and no padding.

    `border` is "same" or a number for each axis that windows move along.
    """

    border: tuple[Any, ...]
    fill = 0.0

    def padded(self, X: Any) -> Any:
        """Return X with its border."""
        sizes, kernel, dilation = X.shape[2:], self.kernel_size, getattr(self, "dilation", 1)
        if not isinstance(dilation, tuple):  # a pooling has one number, which is 1
            dilation = (dilation,) * len(sizes)
        axes = map(padded_axis, sizes, kernel, self.stride, dilation, self.border)
        ends = [n for axis in reversed([*axes]) for n in (axis.before, axis.after)]
        return nn.functional.pad(X, ends, value=self.fill)

    def forward(self, X: Any) -> Any:
        return super().forward(self.padded(X))


class SameConv1d(_Padded, nn.Conv1d):
    """nn.Conv1d with padding "same" for any stride."""

    border = ("same",)


class SameConv2d(_Padded, nn.Conv2d):
    """nn.Conv2d with padding "same" for any stride."""

    border = ("same", "same")


class PaddedMaxPool2d(_Padded, nn.MaxPool2d):
    """nn.MaxPool2d with any padding, of minus infinity."""

    fill = -torch.inf

    def __init__(self, size: Any, stride: Any, border: Any) -> None:
        super().__init__(size, stride)
        self.border = border


class PaddedAvgPool2d(_Padded, nn.AvgPool2d):
    """nn.AvgPool2d with any padding, which is not averaged."""

    def __init__(self, size: Any, stride: Any, border: Any) -> None:
        super().__init__(size, stride)
        self.border = border

    def forward(self, X: Any) -> Any:
        shares = super().forward(torch.ones_like(X[:1, :1]))  # of each window in the image
        return super().forward(X) / shares


class GlobalAveragePool(nn.Module):
    """The average of each channel over all its positions: (m, C, ...) becomes (m, C)."""

    def forward(self, X: Any) -> Any:
        return X.mean(dim=tuple(range(2, X.ndim)))


class Reshape(nn.Module):
    """Each example in another shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, X: Any) -> Any:
        return X.reshape(len(X), *self.shape)

    def extra_repr(self) -> str:
        return str(self.shape)


class _Recurrent(nn.Module):
    """What makes a recurrent module of PyTorch take (m, n, T), and return h without its state."""

    def __init__(self, n_prev: int, n: int, sequences: bool) -> None:
        super().__init__(n_prev, n, batch_first=True)
        self.sequences = sequences

    def forward(self, X: Any) -> Any:
        h, _ = super().forward(X.movedim(1, -1))
        return h.movedim(-1, 1) if self.sequences else h[:, -1]


class SimpleRNN(_Recurrent, nn.RNN):
    """nn.RNN of sequences (m, n, T), which returns h of all steps or of the last."""


class LSTM(_Recurrent, nn.LSTM):
    """nn.LSTM of sequences (m, n, T), which returns h of all steps or of the last."""


class GRU(_Recurrent, nn.GRU):
    """nn.GRU of sequences (m, n, T), which returns h of all steps or of the last."""


class SelfAttention(nn.MultiheadAttention):
    """nn.MultiheadAttention of a sequence (m, n, T) with itself."""

    def __init__(self, n: int, heads: int, causal: bool) -> None:
        super().__init__(n, heads, batch_first=True)
        self.causal = causal

    def forward(self, X: Any) -> Any:
        steps, hidden = X.movedim(1, -1), None
        if self.causal:
            T = X.shape[-1]  # True where a key comes after the query
            hidden = torch.ones(T, T, dtype=torch.bool, device=X.device).triu(1)
        out, _ = super().forward(
            steps, steps, steps, need_weights=False, attn_mask=hidden, is_causal=self.causal
        )
        return out.movedim(-1, 1)


# Layers made of layers. One chain is the modules themselves, so that their arrays are called
# "0.weight" and so on. Of several, each is an nn.Sequential: "1.0.weight".


class Residual(nn.Sequential):
    """X + what the modules make of X."""

    def forward(self, X: Any) -> Any:
        return X + super().forward(X)


class OneBranch(nn.Sequential):
    """`Branches` with one branch: what the modules make of X."""


class SideBySide(nn.Sequential):
    """Base of modules that are several chains, each of which gets X or something like it."""


class Branches(SideBySide):
    """What each of the modules makes of X, one behind the other along axis 1, or added."""

    def __init__(self, *chains: Any, join: str) -> None:
        super().__init__(*chains)
        self.join = join

    def forward(self, X: Any) -> Any:
        results = [chain(X) for chain in self]
        return torch.cat(results, dim=1) if self.join == "concatenate" else sum(results)

    def extra_repr(self) -> str:
        return f"join={self.join!r}"


class Bidirectional(SideBySide):
    """What one module makes of a sequence, and what another makes of it in reverse."""

    def forward(self, X: Any) -> Any:
        forward, backward = self
        one, other = forward(X), backward(X.flip(2))
        return torch.cat([one, other.flip(2) if other.ndim > 2 else other], dim=1)
