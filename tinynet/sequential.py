"""The model: layers one after the other, and the one owner of arrays.

All parameters lie in one flat vector, ``params``, and all gradients in another,
``grads``; every W, b, dW and db is a view into them. Each layer has a `Cache` with these
views and the arrays of the last pass, made once for a batch size and used again.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from tinynet._support import checks as _door
from tinynet._support.arrays import (
    Array,
    Cache,
    LayerArrays,
    ParameterArrays,
    Shape,
    all_finite,
    into,
    shaped,
)
from tinynet._support.random import Random, generator, set_back
from tinynet.activations import Activation
from tinynet.data.batches import inputs_of
from tinynet.data.weights import nonnegative
from tinynet.errors import FileFormatError, NotBuiltError, ShapeError, UnknownNameError
from tinynet.files.archive import Archive, opened, write_file
from tinynet.layers import Dense, Layer
from tinynet.losses import Loss
from tinynet.metrics import labels
from tinynet.model.storage import Arrays, Declared, fill, title
from tinynet.training import checkpoint as checkpoints
from tinynet.training import fit as training

_DTYPES = ("float32", "float64")


# The four lines of the mathematics, for one layer. What a layer or activation returns may be another array
# than the one it was told to write to, and must have its shape.


def _Z(layer: Layer, A_prev: Array, cache: Cache) -> Array:
    return shaped(layer.forward(A_prev, cache), cache.A, "the Z that forward returns", cache)


def _A(layer: Layer, Z: Array, cache: Cache) -> Array:
    return into(cache.A, layer.activation.forward(Z, out=cache.A), "A", cache.in_layer)


def _dZ(layer: Layer, dA: Array, cache: Cache) -> Array:
    return into(
        cache.dZ, layer.activation.back(dA, cache.Z, cache.A, out=cache.dZ), "dZ", cache.in_layer
    )


def _dA_prev(layer: Layer, dZ: Array, cache: Cache) -> Any:
    return shaped(layer.back(dZ, cache), cache.dA_prev, "the dA_prev that back returns", cache)


def _stays(instead: str) -> Callable[[Any, Any], None]:
    """Return what refuses to put another array in the place of one that the model owns."""

    def refuse(*_: Any) -> None:
        raise AttributeError(f"what a model is made of stays where it is; write {instead}")

    return refuse


class Sequential:
    """Layers one after the other, with a loss at the end.

    Parameters
    ----------
    layers : sequence of Layer
        Layer 1 … layer L.
    loss : str, Loss or config, optional
        What `cost` and `back` use; a model without one only goes forward.
    inputs : int or tuple of int, optional
        The shape of an example; left out, it is taken from the first X.
    dtype : {"float32", "float64"}
        In which everything is stored and computed.
    seed : int, numpy.random.Generator or numpy.random.RandomState, optional
        For the first parameters, the order of mini-batches, and what layers draw in training.

    Examples
    --------
    >>> from tinynet import SGD, Dense
    >>> model = Sequential([Dense(4, "tanh"), Dense(1, "sigmoid")], "binary_crossentropy", inputs=2, seed=1)
    >>> model
    <Sequential 2 → 4 tanh → 1 sigmoid; binary_crossentropy; float32; 17 parameters>
    >>> X, Y = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0, 1, 1, 0]])
    >>> history = model.fit(X, Y, optimizer=SGD(0.5, momentum=0.9), epochs=200)
    >>> model.predict_labels(X)
    array([0, 1, 1, 0])
    """

    def __init__(
        self,
        layers: Sequence[Layer | Mapping[str, Any]],
        loss: str | Loss | Mapping[str, Any] | None = None,
        inputs: int | tuple[int, ...] | None = None,
        dtype: Any = "float32",
        seed: int | Random | None = None,
    ) -> None:
        if isinstance(layers, (Layer, Mapping, str)):
            raise TypeError(f"layers are given as a list; write Sequential([{layers!r}])")
        self._layers = tuple(map(Layer.get, layers))
        if not self.layers:
            raise ValueError("a model needs at least one layer: Sequential([Dense(1)])")
        for l, layer in enumerate(self.layers, 1):
            if not isinstance(layer.activation, Activation):
                hint = f"write tn.Activation.get({layer.activation!r})"
                raise TypeError(
                    f"{title(l, layer)}: its activation is {layer.activation!r}, no Activation; {hint}"
                )
        self._loss = None if loss is None else Loss.get(loss)
        # Where the loss's own class names the output activation as partner, a pass back begins at dZ[L].
        self._partners = vars(type(self.loss)).get("partner") == self.layers[-1].activation
        self.dtype = np.dtype(dtype)
        if self.dtype not in map(np.dtype, _DTYPES):
            raise ValueError(f'dtype must be "float32" or "float64"; got {dtype!r}')
        self.rng: Random = generator(seed)
        self._arrays: Arrays | None = None
        self._caches: list[Cache] | None = None  # of the last pass
        self._went_back, self._Y = False, None
        self._w: Array | None = None
        if inputs is not None:
            self._arrays = Arrays(self.layers, _door.example_shape(inputs), self.dtype, self.rng)

    @np.errstate(
        over="ignore", invalid="ignore"
    )  # what comes of it is looked at, in X and in the cost
    def _propagate(self, X: Array, caches: Sequence[Cache], training: bool = False) -> Array:
        A = X
        for layer, cache in zip(self._layers, caches, strict=True):
            cache.A_prev, cache.training, cache.rng = A, training, self.rng
            cache.Z = Z = _Z(layer, A, cache)
            A = _A(layer, Z, cache)
        Z = caches[0].Z
        if not all_finite(
            Z[0] if isinstance(self.layers[0], Dense) else Z
        ):  # one unit of Dense sees every input
            _door.check_finite("X", X)
        return A

    def forward(self, X: Any, training: bool = False) -> Array:
        """Return A[L], and fill Z[l] and A[l], valid until the next pass, for X (n_0, m).

        With `training`, as in `fit`, dropout drops units and batch normalization goes by this batch.
        Raises `ShapeError` for an X that is 1-D, empty or has other features than the model,
        and `NonFiniteError` for one with NaN or infinite entries.
        """
        X = self.admit_inputs(X)
        caches = self._built().caches(X.shape[-1])
        if (
            id(X if X.base is None else X.base) in caches[0].written
        ):  # what it returned may come back to it
            X = X.copy()
        self._caches, self._Y, self._went_back = (
            None,
            None,
            False,
        )  # should this pass fail, there is no last one
        A = self._propagate(X, caches, training)
        self._caches = caches
        return A

    def cost(self, Y: Any, sample_weight: Any = None) -> float:
        """Return J of the last forward pass, penalties included: 1/m times the sum of weighted losses."""
        w = None if sample_weight is None else self._admit_weights(sample_weight)
        return self.cost_of(self.caches, self._admit_targets(Y, self.caches[-1]), w)

    def cost_of(self, caches: Sequence[Cache], Y: Array, w: Array | None = None) -> float:
        """Return J of the pass that `caches` hold, with a weight for each example."""
        loss, last = self._needed_loss(), caches[-1]
        if w is not None:
            each = loss.partner_each(last.Z, Y) if self._partners else loss.each(last.A, Y)
            J = float(each.dot(w)) / w.size
        else:
            J = loss.partner_value(last.Z, Y) if self._partners else loss.value(last.A, Y)
        return float(
            J + sum(layer.penalty(cache) for layer, cache in zip(self._layers, caches, strict=True))
        )

    def back(self, Y: Any, input_gradient: bool = False, sample_weight: Any = None) -> None:
        """Fill dZ[l], dA[l], dW[l] and db[l] for the last forward pass and Y (n_L, m), or labels.

        With `input_gradient` also dA[0], which costs a product as large as the first layer's. Each
        example's part in the gradients is times its weight (m,), if there are any.
        Raises `NotBuiltError` before a forward pass, `ShapeError` for a Y of another shape than A[L].
        """
        caches = self.caches
        Y, w = self._admit_targets(Y, caches[-1]), None
        if sample_weight is not None:
            w = self._admit_weights(sample_weight)
        caches[0].dA_prev = np.empty(caches[0].A_prev.shape, self.dtype) if input_gradient else None
        *below, (layer, cache) = zip(self._layers, caches, strict=True)
        dZ = into(cache.dZ, self._output_dZ(cache, Y, w), "dZ[L]")
        dA = _dA_prev(layer, dZ, cache)
        for layer, cache in reversed(below):
            cache.dA = dA
            dZ = _dZ(layer, dA, cache)
            dA = _dA_prev(layer, dZ, cache)
        caches[0].dA_prev = dA if input_gradient else None
        self._went_back, self._Y, self._w = True, Y, w

    def _output_dZ(self, last: Cache, Y: Array, w: Array | None) -> Array:
        if self._partners:
            dZ = self._needed_loss().partner_back(last.A, Y, out=last.dZ)
            return dZ if w is None else np.multiply(dZ, w, out=last.dZ)
        self._fill_output_dA(last, Y, w)
        return self.layers[-1].activation.back(last.dA, last.Z, last.A, out=last.dZ)

    def _fill_output_dA(self, last: Cache, Y: Array, w: Array | None) -> None:
        into(last.dA, self._needed_loss().back(last.A, Y, out=last.dA), "dA[L]")
        if w is not None:
            last.dA *= w

    def forward_layer(self, l: int, A_prev: Any, training: bool = False) -> Array:
        """Take layer l alone forward: fill Z[l] and A[l], and return A[l] for A[l-1]."""
        layer, arrays = self._layer(l), self._built()
        others = [
            f"A[{k}]" for k, shape in enumerate(arrays.shapes) if shape == np.shape(A_prev)[:-1]
        ]
        whose = f" for {title(l, layer)}" + (
            f"; this is the shape of {' and '.join(others)}" if others else ""
        )
        A_prev = _door.columns(A_prev, arrays.shapes[l - 1], self.dtype, f"A[{l - 1}]", whose)
        _door.check_finite(f"A[{l - 1}]", A_prev)
        self._caches, self._Y, self._went_back = arrays.caches(A_prev.shape[-1]), None, False
        cache = self._caches[l - 1]
        cache.A_prev, cache.training, cache.rng = A_prev, training, self.rng
        cache.Z = _Z(layer, A_prev, cache)
        return _A(layer, cache.Z, cache)

    def back_layer(self, l: int, dA: Any) -> tuple[Array, ...]:
        """Take layer l alone back: return dA[l-1], dW[l] and db[l] for dA[l]."""
        layer, cache = self._layer(l), self.caches[l - 1]
        if cache.A_prev is None:
            raise NotBuiltError(
                f"{title(l, layer)} has not gone forward; call model.forward_layer({l}, A_prev) first"
            )
        dA = _door.columns(
            dA, self._built().shapes[l], self.dtype, f"dA[{l}]", f" for {title(l, layer)}"
        )
        if dA.shape != cache.A.shape:
            raise ShapeError(
                f"dA[{l}] has shape {dA.shape}; needed is that of A[{l}], {cache.A.shape}"
            )
        cache.dA = dA = dA.copy()
        asked, cache.dA_prev = cache.dA_prev, np.empty(cache.A_prev.shape, self.dtype)
        dA_prev = _dA_prev(layer, _dZ(layer, dA, cache), cache)
        cache.dA_prev = asked
        self._went_back, self._Y = True, None if l == len(self.layers) else self._Y
        return dA_prev, *self._built().grad_views[l - 1].values()

    def pass_of_its_own(self, X: Array) -> list[Cache]:
        """Go forward in caches that nobody else has, and leave the model as it is."""
        caches = self._built().forward_caches(X.shape[-1])
        self._propagate(X, caches)
        return caches

    def predict(self, X: Any, batch_size: int | None = None) -> Array:
        """Return A[L] for X (n_0, m), `batch_size` examples at a time (None is all, or 1024 of those on disk).

        It writes nothing into a model that is built, so threads may share one.
        """
        outputs = [self.pass_of_its_own(part)[-1].A for part in inputs_of(self, X, batch_size)]
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)

    def predict_labels(
        self, X: Any, threshold: float = 0.5, batch_size: int | None = None
    ) -> Array:
        """Return classes, integers of shape (m,): A[L] > threshold for one output, the largest of several."""
        return labels(self.predict(X, batch_size), threshold)

    layers = property(
        lambda self: self._layers,
        _stays("Sequential([...]), a new model"),
        doc="The layers, a tuple.",
    )
    loss = property(
        lambda self: self._loss,
        _stays("Sequential(..., loss=...), a new model"),
        doc="The loss, or None.",
    )
    begins_at_dZ = property(
        lambda self: self._partners, doc="Whether a pass back begins at dZ[L] = A[L] - Y."
    )
    fit = training.fit
    evaluate = training.evaluate
    resume = classmethod(training.resume)

    # What a learner looks at: a mapping a quantity, whose keys are the layers' numbers. To assign to W[l] copies.

    W = property(
        lambda self: self._of_parameters("W", ""), _stays("model.W[1] = M"), doc="W[1] … W[L]."
    )
    b = property(
        lambda self: self._of_parameters("b", ""), _stays("model.b[1] = v"), doc="b[1] … b[L]."
    )
    dW = property(lambda self: self._of_parameters("W", "d"), doc="dW[1] … dW[L].")
    db = property(lambda self: self._of_parameters("b", "d"), doc="db[1] … db[L].")
    Z = property(lambda self: self._of_pass("Z"), doc="Z[1] … Z[L] of the last forward pass.")
    dZ = property(lambda self: self._of_pass("dZ"), doc="dZ[1] … dZ[L] of the last pass back.")

    @property
    def A(self) -> LayerArrays:
        """A[0] = X, A[1] … A[L] of the last forward pass."""
        return self._of_pass("A", self.caches[0].A_prev)

    @property
    def dA(self) -> LayerArrays:
        """dA[1] … dA[L] of the last pass back, and dA[0] if it was asked for."""
        last = self.caches[-1]
        if self._partners and self._Y is not None:
            self._fill_output_dA(last, self._Y, self._w)
        return self._of_pass("dA", self.caches[0].dA_prev)

    def _of_parameters(self, name: str, d: str) -> ParameterArrays:
        views = self._built().grad_views if d else self._built().param_views
        return ParameterArrays(
            d + name, {l: held[name] for l, held in enumerate(views, 1) if name in held}
        )

    def _of_pass(self, name: str, at_0: Array | None = None) -> LayerArrays:
        if name.startswith("d") and not self._went_back:
            raise NotBuiltError(f"model.{name} is filled by a pass back; call model.back(Y) first")
        arrays = {} if at_0 is None else {0: at_0}
        return LayerArrays(
            name, arrays | {l: getattr(cache, name) for l, cache in enumerate(self.caches, 1)}
        )

    params = property(
        lambda self: self._built().params,
        _stays("model.params[:] = v"),
        doc="All parameters, flat.",
    )
    state = property(
        lambda self: self._built().state, doc="What layers keep beside parameters, flat."
    )
    grads = property(lambda self: self._built().grads, doc="All gradients, flat.")
    values = property(
        lambda self: self._built().values,
        doc="Parameters and state, all that training changes, flat.",
    )
    n_params = property(lambda self: self.params.size, doc="How many numbers are trained.")
    weights = property(
        lambda self: [
            view
            for held in self._built().param_views
            for name, view in held.items()
            if name[0] == "W"
        ],
        doc="Views of all parameters whose name begins with W; these are what decays, and biases are not.",
    )
    inputs = property(lambda self: self._built().shapes[0], doc="The shape of an example.")
    outputs = property(
        lambda self: self._built().shapes[-1], doc="The shape of A[L] without the examples."
    )
    parameters = property(
        lambda self: self._built().param_views, doc="The parameters by name, a mapping a layer."
    )
    is_built = property(
        lambda self: self._arrays is not None, doc="Whether the parameters are there."
    )

    @property
    def caches(self) -> list[Cache]:
        """The caches of the last pass, one a layer."""
        self._built()
        if self._caches is None:
            raise NotBuiltError(
                "there is no forward pass to look at (predict keeps none); call model.forward(X) first"
            )
        return self._caches

    def _built(self) -> Arrays:
        if self._arrays is None:
            raise NotBuiltError(
                "the model has no parameters yet, for it does not know how many inputs it has; "
                "write Sequential(..., inputs=n_0), or call model.forward(X) or model.fit(X, Y) first"
            )
        return self._arrays

    def admit(self, X: Any, Y: Any) -> tuple[Array, Array]:
        """Return X and Y checked and cast, as columns."""
        X, shapes = self._checked(X)
        Y = _door.targets(
            Y, (*shapes[-1], X.shape[-1]), self.dtype, self._needed_loss().targets, len(X)
        )
        _door.check_finite("X", X)
        _door.check_finite("Y", Y)
        return self.admit_inputs(X), Y

    @contextlib.contextmanager
    def unchanged_if_refused(self) -> Iterator[None]:
        """Be built, and draw from the generator, only if the block does not fail."""
        arrays, before = self._arrays, copy.deepcopy(self.rng)
        try:
            yield
        except Exception:
            self._arrays = arrays
            set_back(self.rng, before)
            raise

    def admit_inputs(self, X: Any) -> Array:
        """Return X checked and cast, as columns; the first one builds the model."""
        X, shapes = self._checked(X)
        if self._arrays is None:
            self._arrays = Arrays(self.layers, shapes[0], self.dtype, self.rng)
        return X

    def _checked(self, X: Any) -> tuple[Array, list[Shape]]:
        """Return X and the shapes of A[0] … A[L]; the first X gives them, if it is without fault."""
        if self._arrays is not None:
            return _door.columns(X, self._arrays.shapes[0], self.dtype, "X"), self._arrays.shapes
        X = _door.numbers(X, "X")
        X = _door.columns(X, X.shape[:-1], self.dtype, "X")
        _door.check_finite("X", X)
        return X, Declared(self.layers, X.shape[:-1]).shapes

    def _admit_targets(self, Y: Any, last: Cache) -> Array:
        if last.A_prev is None:
            raise NotBuiltError("the last layer has not gone forward; call model.forward(X) first")
        return _door.targets(Y, last.A.shape, self.dtype, self._needed_loss().targets)

    def _admit_weights(self, sample_weight: Any) -> Array:
        return nonnegative("sample_weight", sample_weight, self.caches[-1].A.shape[-1]).astype(
            self.dtype
        )

    def _needed_loss(self) -> Loss:
        if self._loss is None:
            raise ValueError(
                f"the model has no loss; write Sequential(..., loss=...) with one of {Loss.names()}"
            )
        return self._loss

    def _layer(self, l: int) -> Layer:
        if l not in range(1, len(self.layers) + 1):
            raise IndexError(
                f"there is no layer {l!r}; layers are numbered from 1 to {len(self.layers)}"
            )
        return self.layers[l - 1]

    def first_nonfinite(self) -> str | None:
        """Name the first array of the last passes that is not finite, in the order in which they are computed."""
        named = list(enumerate(self.caches, 1))
        order = [(l, name) for l, _ in named for name in ("Z", "A")]
        for l, cache in reversed(named):
            back = [] if self._partners and l == len(named) else ["dA"]
            order += [
                (l, name) for name in (*back, "dZ", *(f"d{name}" for name in cache.parameters))
            ]
        order += [(l, name) for l, cache in named for name in cache.parameters]
        order += [(l, name) for l, held in enumerate(self._built().state_views, 1) for name in held]
        for l, name in order:
            if not np.isfinite(getattr(self.caches[l - 1], name)).all():
                return f"{name}[{l}] of {title(l, self.layers[l - 1])}"
        return None

    def __repr__(self) -> str:
        shapes = self._arrays.shapes if self._arrays else [("?",)] * (len(self.layers) + 1)
        sizes = ["×".join(map(str, shape)) for shape in shapes]
        steps = [
            f"{n} {layer.activation.registered_name}"
            for n, layer in zip(sizes[1:], self.layers, strict=True)
        ]
        loss = self.loss.registered_name if self.loss else "no loss"
        count = f"{self.n_params:,} parameters" if self._arrays else "not built"
        return f"<Sequential {' → '.join([sizes[0], *steps])}; {loss}; {self.dtype}; {count}>"

    def summary(self) -> str:
        """Return a table of the layers: number, kind, activation, shape of Z and A, parameters."""
        rows = [("l", "layer", "activation", "Z, A", "parameters")]
        for l, layer in enumerate(self.layers, 1):
            shape, views = _door.written(self._built().shapes[l]), self._built().param_views[l - 1]
            count = " + ".join(f"{name} {view.size:,}" for name, view in views.items()) or "none"
            rows.append(
                (str(l), type(layer).__name__, layer.activation.registered_name, shape, count)
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            [repr(self)[1:-1], *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)]
        )

    def __getstate__(self) -> dict[str, Any]:
        arrays = self._arrays and (
            self._arrays.shapes[0],
            self._arrays.values.copy(),
            self._arrays.grads.copy(),
        )
        no_pass = {"_caches": None, "_went_back": False, "_Y": None, "_w": None}
        return {**self.__dict__, "rng": copy.deepcopy(self.rng), "_arrays": arrays, **no_pass}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if state["_arrays"] is not None:  # a copy carves its own views
            inputs, values, grads = state["_arrays"]
            self._arrays = Arrays(self.layers, inputs, self.dtype, None)
            self._arrays.values[:], self._arrays.grads[:] = values, grads

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write description, parameters and state to one ``.npz`` file, which holds data only; `load` reads it.

        The file is complete, or as it was before: also when the disk is full or the process is killed.
        """
        write_file(path, self.description(), self.named_arrays())

    def description(self) -> dict[str, Any]:
        """Return what a file says of the model beside its arrays, as plain data."""
        return {
            "layers": [layer.config() for layer in self.layers],
            "loss": self.loss and self.loss.config(),
            "inputs": self.inputs,
            "dtype": self.dtype.name,
        }

    def named_arrays(self) -> dict[str, Array]:
        """Return parameters and state by the names they have in a file: W1, b1 and so on."""
        arrays = self._built()
        views = [*enumerate(arrays.param_views, 1), *enumerate(arrays.state_views, 1)]
        named = [(f"{name}{l}", view) for l, held in views for name, view in held.items()]
        if len(dict(named)) < len(named):  # W1 of layer 1, and W of layer 11
            raise ValueError(
                "two parameters would have one name in the file; let no parameter's name end in a digit"
            )
        return dict(named)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the model that `save` wrote to `path`; anything else there is a `FileFormatError`.

        A file is not trusted: nothing in it is run, and nothing is read that is larger than the file.
        A name that is not known is an `UnknownNameError`, which says in which layer.
        """
        with opened(path) as file:
            model = cls.from_archive(file)
            file.done(checkpoints.array_names(file))
        return model

    @classmethod
    def from_archive(cls, file: Archive) -> Self:
        """Return the model of an open file, whose arrays are made when all that fill them have been read."""
        told = file.description
        if told["dtype"] not in _DTYPES:  # NumPy makes a dtype of much else, and may compile it
            raise FileFormatError(
                f"its dtype is {told['dtype']!r}, not one of {', '.join(_DTYPES)}"
            )
        layers = [_layer_from(l, config) for l, config in enumerate(told["layers"], 1)]
        model = cls(layers, told["loss"], dtype=told["dtype"])
        inputs = _door.example_shape(told["inputs"])
        declared = Declared(model.layers, inputs)
        params, state = (
            [
                {
                    name: file.array(f"{name}{l}", parameter.shape, model.dtype)
                    for name, parameter in held.items()
                }
                for l, held in enumerate(named, 1)
            ]
            for named in (declared.parameters, declared.states)
        )
        model._arrays = Arrays(model.layers, inputs, model.dtype, None)
        fill(model._arrays.param_views, params)
        fill(model._arrays.state_views, state)
        file.check(model.description())
        return model


def _layer_from(l: int, config: Any) -> Layer:
    if not isinstance(config, dict):
        raise FileFormatError(f"its layer {l} is {config!r}, and no description")
    try:
        return Layer.get(config)
    except UnknownNameError as error:
        raise UnknownNameError(
            f"layer {l} of the file: {error}; define or import its class first"
        ) from None
