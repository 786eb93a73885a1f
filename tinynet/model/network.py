"""The network: the one owner of arrays, and the place where X and Y are checked.

All parameters lie in one flat vector, ``params``, and all gradients in another, ``grads``. Every
W, b, dW and db is a view into them.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinynet._support import examples
from tinynet._support.arrays import Array, Shape, check_finite
from tinynet._support.checks import example_shape, expect_flag, float_dtype, shown
from tinynet._support.digits import warn_of_lost_digits
from tinynet._support.labels import weights
from tinynet._support.quiet import quiet, switch_back, switch_off
from tinynet._support.random import Random, generator, get_state, put_state
from tinynet._support.results import write
from tinynet.activations import Sigmoid, Softmax
from tinynet.errors import NotBuiltError, ShapeError
from tinynet.layers import Layer
from tinynet.losses import Loss
from tinynet.model.attributes import OF_STORAGE, expect_assignable, not_found
from tinynet.model.chain import ModelChain
from tinynet.model.place import PlacedLayer, checked_layers, inputs_of, place
from tinynet.model.storage import Storage
from tinynet.model.views import LayerViews


class Network(LayerViews):
    """Layers in a chain, a loss, and all their arrays; `Sequential` is the network people use."""

    layers: tuple[Layer, ...]
    loss: Loss | None
    dtype: np.dtype[Any]
    rng: Random
    params: Array
    grads: Array
    state: Array
    values: Array
    decaying: list[Array]
    identity: object
    n_params: int
    inputs: Shape
    outputs: Shape
    takes: examples.Inputs  # what X must be

    def __init__(
        self,
        layers: Sequence[Layer | Mapping[str, Any]],
        loss: str | Loss | Mapping[str, Any] | None = None,
        inputs: int | tuple[int, ...] | None = None,
        dtype: Any = "float32",
        seed: int | Random | None = None,
    ) -> None:
        self.__dict__["layers"] = checked_layers(layers)
        self.__dict__["loss"] = None if loss is None else Loss.get(loss)
        self.__dict__["dtype"] = float_dtype(dtype)
        takes = inputs_of(self.layers[0], self.dtype)
        self.__dict__.update(rng=generator(seed), chain=None, takes=takes)
        if inputs is not None:
            self.build(place(self.layers, example_shape(inputs)), self.rng)

    # The pass.

    def forward(self, X: Any, training: bool = False) -> Array:
        """Return A[L] for X, and fill Z[l] and A[l], valid until the next pass; see `back`.

        Parameters
        ----------
        X : array_like of shape (n_0, m)
            Examples as columns, all numbers finite.
        training : bool
            Whether dropout drops units and batch normalization uses this batch, as in `fit`.

        Returns
        -------
        ndarray of shape (n_L, m)
            A[L], which the next pass overwrites: ``model.forward(X).copy()`` keeps it.

        Raises
        ------
        ShapeError, NonFiniteError
            For an X that is 1-D, empty or of other features, or has NaN or infinite entries.
        """
        chain = self.chain
        # X of the last pass has been checked, except its numbers, which every pass looks at. Its
        # shape may have been set to another one since then.
        if (
            chain is None
            or X is None
            or X is not chain.first.A_prev
            or X.shape != chain.checked_shape
        ):
            X = self.check_inputs(X)
            chain = self.use_chain(X.shape[-1])
            if self.storage.holds(X):  # X may be an array that a pass returned
                X = X.copy()
        return chain.forward_input(X, training, self.rng)

    @quiet
    def cost(self, Y: Any, sample_weight: Any = None) -> float:
        """Return J of the last forward pass: 1/m times the sum of the losses, and the penalties.

        Parameters
        ----------
        Y, sample_weight : array_like of shape (n_L, m), and of shape (m,), optional
            As for `back`: ``J = model.cost(Y)``.
        """
        chain, Y, w = self._pass_with_targets(Y, sample_weight)
        return chain.cost(Y, w)

    def back(self, Y: Any, input_gradient: bool = False, sample_weight: Any = None) -> None:
        """Fill dZ[l], dA[l], dW[l] and db[l] of the last forward pass.

        Parameters
        ----------
        Y : array_like of shape (n_L, m)
            Targets, or labels.
        input_gradient : bool
            Whether to fill dA[0] too, which costs a product as large as the first layer's.
        sample_weight : array_like of shape (m,), optional
            Factors of the examples' parts in the gradients.

        Raises
        ------
        NotBuiltError, ShapeError
            Before a forward pass, and for a Y of another shape than A[L].

        Examples
        --------
        >>> from tinynet import Dense, Sequential
        >>> model = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", inputs=2, seed=1)
        >>> A = model.forward([[0.0, 1.0], [2.0, 3.0]])
        >>> model.back([[0, 1]])
        >>> bool((model.dZ[1] == A - [[0, 1]]).all()), model.dW[1].shape
        (True, (1, 2))
        """
        flags = switch_off()
        try:
            if input_gradient is not False:
                expect_flag("input_gradient", input_gradient, "For targets, use model.back(Y).")
            if input_gradient:
                self.takes.check_gradient()
            chain, Y, w = self._pass_with_targets(Y, sample_weight)
            chain.back_from(Y, w, input_gradient)
        finally:
            switch_back(flags)

    @quiet
    def forward_layer(self, l: int, A_prev: Any, training: bool = False) -> Array:
        """Take layer l alone forward: fill Z[l] and A[l], and return A[l] for A[l-1].

        Parameters
        ----------
        l : int
            The number of the layer.
        A_prev, training : array_like of shape (n_{l-1}, m), and bool
            As for `forward`: ``model.forward_layer(1, X)`` takes the first layer.
        """
        placed, shapes = self._placed(l), self.storage.shapes
        others = [f"A[{k}]" for k, shape in enumerate(shapes) if shape == np.shape(A_prev)[:-1]]
        whose = f" for {placed.title}"
        whose += f" (it has the shape of {' and '.join(others)})" if others else ""
        name, takes = f"A[{l - 1}]", inputs_of(placed.layer, self.dtype)
        A_prev = takes.checked(A_prev, placed.input_shape, name, whose)
        check_finite(name, A_prev)
        if self.storage.holds(A_prev):
            A_prev = A_prev.copy()
        chain = self.use_chain(A_prev.shape[-1])
        chain.set_mode(training, self.rng)
        A = chain.part(l).forward(A_prev)
        chain.has_forward, chain.has_back = True, False
        return A

    @quiet
    def back_layer(self, l: int, dA: Any) -> tuple[Array, ...]:
        """Take layer l alone back: return dA[l-1], dW[l] and db[l] for dA[l].

        Parameters
        ----------
        l : int
            The number of the layer.
        dA : array_like of shape (n_l, m)
            As in ``dA_prev, dW, db = model.back_layer(2, dA)``.
        """
        placed, chain = self._placed(l), self._last_pass()
        cache = chain.caches[l - 1]
        if cache.A_prev is None:
            raise NotBuiltError(
                f"{placed.title} has had no forward pass. "
                f"Call model.forward_layer({l}, A_prev) first."
            )
        whose = f" for {placed.title}"
        takes = examples.Inputs(self.dtype)
        dA = takes.checked(dA, placed.output_shape, f"dA[{l}]", whose)
        if dA.shape != cache.A.shape:
            raise ShapeError(
                f"dA[{l}] has shape {dA.shape}, expected that of A[{l}], {cache.A.shape}."
            )
        dA_prev_of_chain, has_gradient = cache.dA_prev, l > 1 or not self.takes.are_indices
        cache.dA_prev = np.empty(cache.A_prev.shape, self.dtype) if has_gradient else None
        dA_prev = chain.part(l).back(dA.copy())
        cache.dA_prev = dA_prev_of_chain
        chain.has_back = True
        if l == len(self.layers):
            chain.targets = None  # dA[L] is the one that came in
        return dA_prev, *placed.grads.values()

    def _placed(self, l: int) -> PlacedLayer:
        if l not in range(1, len(self.layers) + 1):
            raise IndexError(f"There is no layer {l!r}, expected 1 to {len(self.layers)}.")
        return self.storage.layers[l - 1]

    # Parameters by name.

    def get_parameters(self) -> dict[str, Array]:
        """Return copies of all parameters by name: {"W1": array, "b1": array, ...}."""
        return {name: view.copy() for name, view in self._parameters().items()}

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Copy arrays into the parameters of these names, all of them or some.

        Parameters
        ----------
        parameters : mapping of str to array_like
            As in ``model.set_parameters(other.get_parameters())``.

        Raises
        ------
        KeyError, ShapeError, NonFiniteError
            For an unknown name, a wrong shape, NaN or infinity, before anything has changed.
        """
        if not isinstance(parameters, Mapping):
            found = f'parameters is {shown(parameters)}, expected a dictionary {{"W1": array}}'
            raise TypeError(
                f"{found}. For a list, use dict(zip(model.get_parameters(), parameters))."
            )
        views, checked = self._parameters(), {}
        for name, value in parameters.items():
            if name not in views:
                raise KeyError(f"There is no parameter {name!r}, expected {', '.join(views)}.")
            checked[name] = np.empty_like(views[name])
            write(checked[name], examples.numbers(value, name), name)
            check_finite(name, checked[name])
        for name, array in checked.items():
            views[name][...] = array

    def _parameters(self) -> dict[str, Array]:
        named = self.storage.named()
        n_arrays = sum([len(layer.params) for layer in self.storage.placed])
        return dict(list(named.items())[:n_arrays])  # those of state come last

    # X and Y are checked and cast here, once. What comes after trusts them.

    def check_inputs(self, X: Any) -> Array:
        """Return X checked and cast, as columns; the first one builds the model."""
        if "storage" in self.__dict__:
            return self.takes.checked(X, self.inputs)
        X = self.takes.checked(X, None)
        check_finite("X", X)
        self.build(place(self.layers, X.shape[:-1]), self.rng)
        return X

    @quiet
    def check_data(self, X: Any, Y: Any, is_first: bool = False) -> tuple[Array, Array]:
        """Return X and Y checked and cast, as columns; the first ones build the model.

        With `is_first`, warn of digits that the cast loses.
        """
        storage, loss, given = vars(self).get("storage"), self.needed_loss(), (X, Y)
        shape = None if storage is None else storage.inputs
        X = self.takes.checked(X, shape, as_rows=True)  # batches come from rows
        check_finite("X", X)
        layers = place(self.layers, X.shape[:-1]) if storage is None else storage.layers
        expected = (*layers[-1].output_shape, X.shape[-1])
        Y = examples.targets(Y, expected, self.dtype, loss.targets, given[0])
        loss.check_targets(Y)
        if is_first:
            warn_of_lost_digits(given, (X, Y))
        if storage is None:
            self.build(layers, self.rng)
            return X, Y
        X = X.copy() if storage.holds(X) else X
        return X, Y.copy() if storage.holds(Y) else Y

    def _pass_with_targets(
        self, Y: Any, sample_weight: Any
    ) -> tuple[ModelChain, Array, Array | None]:
        """Return the chain of the last pass, with Y and weights for it, checked and cast."""
        chain, loss, w = self.chain, self.loss, None
        if chain is None or not chain.has_forward or loss is None:
            loss = self.needed_loss()
            chain = self._last_pass()
        if chain.last.A_prev is None:
            message = "The last layer has had no forward pass. Call model.forward(X) first."
            raise NotBuiltError(message)
        # The array of the last pass has this form already, if nobody has reshaped it since then.
        if Y is not chain.targets or Y is None or Y.shape != chain.output_shape:
            Y = examples.targets(Y, chain.output_shape, self.dtype, loss.targets)
        if Y is not chain.checked_targets:
            chain.check_targets(Y)
        if sample_weight is not None:
            if Y is chain.last.A:
                found = "Y is A[L], which the model has from its forward pass"
                raise ValueError(f"{found}, expected the targets. Use model.cost(Y).")
            w = weights("sample_weight", sample_weight, chain.m).astype(self.dtype)
        return chain, Y, w

    @property
    def is_multilabel(self) -> bool:
        """Whether each of several outputs is a yes or no by itself."""
        activation, of_loss = self.layers[-1].activation, getattr(self.loss, "multilabel", None)
        if self.outputs[0] == 1 or isinstance(activation, Softmax):
            return False
        return isinstance(activation, Sigmoid) if of_loss is None else bool(of_loss)

    def needed_loss(self) -> Loss:
        """Return the loss; without one, say how to choose it."""
        if self.loss is None:
            raise ValueError(
                f"The model has no loss. Use Sequential(..., loss=...) with one of {Loss.names()}."
            )
        return self.loss

    # Building and copying.

    @property
    def is_built(self) -> bool:
        """Whether the parameters exist."""
        return "storage" in self.__dict__

    @quiet
    def build(self, placed: Sequence[PlacedLayer], rng: Random | None) -> None:
        """Allocate all arrays, and draw the first parameters from `rng`; without it they are 0."""
        storage = Storage(placed, self.loss, self.dtype)
        if rng is not None:
            storage.draw(rng)
        self._show(storage)

    def _show(self, storage: Storage) -> None:
        """Have a storage, and its arrays as attributes."""
        shown = {name: getattr(storage, name) for name in OF_STORAGE}
        self.__dict__.update(shown, storage=storage)

    def use_chain(self, m: int) -> ModelChain:
        """Return the chain for batches of `m`, which holds the last pass from now on."""
        chain = self.storage.chain(m)
        if self.chain is not chain:
            if self.chain is not None:
                self.chain.forget_data()
            self.chain = chain
        return chain

    @contextlib.contextmanager
    def unchanged_if_refused(self) -> Iterator[None]:
        """Be built, and draw from the generator, only if the block raises no error."""
        before, state = dict(self.__dict__), get_state(self.rng)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            put_state(self.rng, state)
            raise

    def __setattr__(self, name: str, value: Any) -> None:
        expect_assignable(self, name)
        super().__setattr__(name, value)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            error = not_found(self, name)
            if error is not None:
                raise error
            return object.__getattribute__(self, name)  # raises the error that led here

    def __copy__(self) -> Self:
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in vars(self).items() if k not in ("storage", *OF_STORAGE)}
        state["chain"] = None
        if self.is_built:
            state["arrays"] = (self.inputs, self.values.copy(), self.grads.copy(), self.identity)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        arrays = state.pop("arrays", None)
        self.__dict__.update(state)
        if arrays is not None:  # a copy carves its own views
            inputs, values, grads, identity = arrays
            storage = Storage(place(self.layers, inputs), self.loss, self.dtype)
            storage.values[:], storage.grads[:] = values, grads
            storage.hold(identity)
            self._show(storage)
