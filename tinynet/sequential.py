"""The model that people use: a network with what they do with it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Never, Self

import numpy as np

from tinynet import files, training
from tinynet._support.arrays import Array
from tinynet._support.communicator import Communicator
from tinynet._support.elsewhere import unexpected
from tinynet.data.batches import BATCH_SIZE
from tinynet.metrics import Measure, labels
from tinynet.model.network import Network
from tinynet.model.summary import Summary, one_line, summary
from tinynet.optimizers import Optimizer

if TYPE_CHECKING:
    from tinynet.files.source import Source
    from tinynet.training.callbacks import Callback
    from tinynet.training.history import History


class Sequential(Network):
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
        The precision in which everything is stored and computed.
    seed : int, numpy.random.Generator or numpy.random.RandomState, optional
        For the first parameters, the order of mini-batches, and what layers draw in training.

    Attributes
    ----------
    layers, loss : tuple of Layer, Loss
        What the model is made of; fixed.
    W, b, dW, db : mapping
        ``W[1]`` … ``W[L]`` and their gradients. ``model.W[1] = M`` copies M. A layer inside layer
        2 is ``W[2, 3]``.
    Z, A, dZ, dA : mapping
        Of the last pass, valid until the next.
    params, grads, state : ndarray
        All parameters, all gradients, and what layers keep beside them, each a flat vector.
    n_params : int
        The number of parameters.
    inputs, outputs : tuple of int
        The shapes of X and A[L] without the examples.

    Examples
    --------
    >>> from tinynet import SGD, Dense
    >>> layers = [Dense(4, "tanh"), Dense(1, "sigmoid")]
    >>> model = Sequential(layers, "binary_crossentropy", inputs=2, seed=1)
    >>> model
    <Sequential 2 -> 4 tanh -> 1 sigmoid; binary_crossentropy; float32; 17 parameters>
    >>> X, Y = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0, 1, 1, 0]])
    >>> history = model.fit(X, Y, optimizer=SGD(0.5, momentum=0.9), epochs=200)
    >>> model.predict_labels(X)
    array([0, 1, 1, 0])
    """

    def fit(
        self,
        X: Any,
        Y: Any = None,
        optimizer: Optimizer | str | None = None,
        epochs: int = 1,
        batch_size: int | None = BATCH_SIZE,
        shuffle: bool | str = True,
        validation_data: Any = None,
        metrics: Sequence[str | Measure] = (),
        verbose: bool = False,
        callbacks: Callback | Sequence[Callback] | None = (),
        sample_weight: Any = None,
        class_weight: Any = None,
        validation_split: float | None = None,
        steps_per_epoch: int | None = None,
        checkpoint: str | bytes | os.PathLike[Any] | None = None,
        checkpoint_every: int | None = None,
        detect_anomaly: bool = False,
        parallel: Communicator | None = None,
        **unknown: Never,
    ) -> History:
        """Train on X and Y, and return the history.

        Parameters
        ----------
        X, Y : array_like of shape (n_0, m) and (n_L, m)
            Examples as columns. For categorical cross-entropy Y may be integer labels (m,) or
            (1, m). X may also be an array on disk, or batches, without Y: see :doc:`/data`.
        optimizer : Optimizer or str, optional
            ``SGD()`` if left out. It keeps its memory from fit to fit of one model.
        epochs, batch_size : int
            Passes over the data, and examples a step. The last batch may be smaller. A batch_size
            of None is the whole set.
        shuffle : bool or {"blocks", "whole"}
            Draw a new order of the examples for each epoch, from the model's generator. On disk
            True is ``"blocks"`` of examples that follow one another; ``"whole"`` is any order, and
            slow.
        validation_data : tuple of array_like or batches, optional
            (X, Y), or (stream,), to evaluate after each epoch, recorded as ``val_loss`` and so on.
        metrics : sequence of str, Metric or callable
            Names, metrics, or functions ``(Y, A) -> float``. In training they are measured on what
            was predicted before each step.
        verbose : bool
            Show a progress bar, or write a line an epoch.
        callbacks : sequence of Callback
            What else happens in between.
        sample_weight, class_weight : array_like of shape (m,), and dict or "balanced", optional
            Weights of examples, and of the examples of a class. They are scaled to a mean of 1.
        validation_split : float, optional
            The share of the examples, drawn by chance (of each class alike), that is validation
            data. Each fit draws others. To continue training a model, split once and pass
            `validation_data`.
        steps_per_epoch : int, optional
            Batches an epoch, where a function gives them; a limit for an iterable.
        checkpoint : str or PathLike, optional
            A file to which all is written that the run needs to continue after it was killed: see
            `tinynet.resume`.
        checkpoint_every : int, optional
            Steps between two checkpoints; left out, one is written after each epoch.
        detect_anomaly : bool
            Look at every array of every step, and name the first that is not finite.
        parallel : Communicator, optional
            Train on several processes, each of which calls `fit` with the same arguments:
            ``tn.parallel.MPI()``. See :doc:`/parallel`.

        Returns
        -------
        History
            The metrics, and ``"loss"``: an epoch's mean of the cost before each step, penalties
            included. Ctrl-C ends the training after the step under way.

        Raises
        ------
        NonFiniteError, ShapeError, ValueError, TypeError
            When X, Y, a setting or the training itself is wrong. What can be refused is refused
            before the first step, and changes nothing. With `NonFiniteError` the parameters are as
            before the step, or the best ones if `EarlyStopping` restores them, and
            ``error.history`` is the history of the finished epochs.

        Examples
        --------
        >>> from tinynet import SGD, Dense
        >>> model = Sequential([Dense(1)], "mean_squared_error", inputs=1, seed=1)
        >>> history = model.fit([[1.0, 2.0]], [[3.0, 5.0]], SGD(0.3), epochs=300)
        >>> round(model.W[1].item(), 2), round(model.b[1].item(), 2)  # Y = 2 X + 1
        (2.0, 1.0)
        """
        for name in unknown:
            *known, _, _ = Sequential.fit.__annotations__  # the last are `unknown` and the result
            raise unexpected("fit", name, known)
        options = {
            "epochs": epochs, "batch_size": batch_size, "shuffle": shuffle, "verbose": verbose,
            "class_weight": class_weight, "validation_split": validation_split,
            "steps_per_epoch": steps_per_epoch, "checkpoint_every": checkpoint_every,
            "detect_anomaly": detect_anomaly,
        }  # fmt: skip
        return training.fit.fit(
            self, X, Y, optimizer, options, validation_data=validation_data, metrics=metrics,
            callbacks=callbacks, sample_weight=sample_weight, checkpoint=checkpoint,
            parallel=parallel,
        )  # fmt: skip

    @classmethod
    def resume(
        cls,
        path: str | bytes | os.PathLike[Any],
        X: Any,
        Y: Any = None,
        *,
        validation_data: Any = None,
        metrics: Sequence[str | Measure] | None = None,
        callbacks: Callback | Sequence[Callback] | None = (),
        sample_weight: Any = None,
        epochs: int | None = None,
        optimizer: Optimizer | str | None = None,
        verbose: bool | None = None,
        parallel: Communicator | None = None,
    ) -> tuple[Self, History]:
        """Continue the run of a file that ``fit(..., checkpoint=path)`` wrote.

        The result is bit for bit what the run would have given without the interruption.

        Parameters
        ----------
        path : str or PathLike
            The file. The run continues to write to it.
        X, Y, validation_data, sample_weight, callbacks : array_like and others
            As they were given to ``fit``: they are not in the file. The state of callbacks is.
        metrics : sequence of str or callable, optional
            Needed only where functions were among them.
        epochs : int, optional
            Another number of epochs than the run began with. With it a run that was stopped
            continues too, until its callbacks stop it again.
        optimizer : Optimizer or str, optional
            Another optimizer than the run began with. One of the same class gets the memory of the
            run, with other settings; any other begins without memory.
        verbose : bool, optional
            Whether to show the progress from now on.
        parallel : Communicator, optional
            As for `fit`. Rank 0 reads and writes the file. With another number of ranks than the
            run began with it continues from the same parameters, and a warning says what differs.

        Returns
        -------
        model : Sequential
        history : History

        Raises
        ------
        FileFormatError
            For a file that holds no run.
        ValueError
            For data of another shape, or other metrics or callbacks than the run's.

        Examples
        --------
        >>> import os, tempfile
        >>> import tinynet as tn
        >>> X, Y = tn.datasets.make_moons(100, seed=1)
        >>> layers = [tn.Dense(4, "tanh"), tn.Dense(1, "sigmoid")]
        >>> model = tn.Sequential(layers, "binary_crossentropy", seed=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "run.npz")
        ...     history = model.fit(X, Y, epochs=3, checkpoint=path)
        ...     model, history = tn.resume(path, X, Y, epochs=5)
        >>> history.epochs
        5
        """
        return training.fit.resume(
            cls, path, X, Y, validation_data=validation_data, metrics=metrics,
            callbacks=callbacks, sample_weight=sample_weight, epochs=epochs, optimizer=optimizer,
            verbose=verbose, parallel=parallel,
        )  # fmt: skip

    def evaluate(
        self,
        X: Any,
        Y: Any = None,
        metrics: Sequence[str | Measure] = (),
        batch_size: int | None = None,
        sample_weight: Any = None,
        steps_per_epoch: int | None = None,
        parallel: Communicator | None = None,
    ) -> dict[str, float]:
        """Return the loss, penalties included, and the metrics on X and Y, by name.

        It writes nothing into the model.

        Parameters
        ----------
        X, Y, metrics, sample_weight, steps_per_epoch : array_like and others
            As for `fit`.
        batch_size : int, optional
            Examples a pass; by default so many that a pass takes little memory.
        parallel : Communicator, optional
            As for `fit`: each process evaluates a part, and all get the whole result.

        Returns
        -------
        dict of str to float
            "loss" and each metric.

        Examples
        --------
        >>> from tinynet import Dense
        >>> model = Sequential([Dense(1)], "mean_squared_error", inputs=1, seed=1)
        >>> model.W[1] = [[2.0]]
        >>> model.evaluate([[1.0, 2.0]], [[2.0, 5.0]], metrics=["r2"])["loss"]
        0.25
        """
        return training.fit.evaluate(
            self, X, Y, metrics, batch_size, sample_weight, steps_per_epoch, parallel
        )

    def predict(
        self, X: Any, batch_size: int | None = None, parallel: Communicator | None = None
    ) -> Array:
        """Return A[L] for X.

        It writes nothing into a model that is built, so threads may share one.

        Parameters
        ----------
        X : array_like of shape (n_0, m)
            Examples as columns.
        batch_size : int, optional
            Examples a pass; by default so many that a pass takes little memory.
        parallel : Communicator, optional
            As for `fit`: each process predicts a part, and all get the whole result.

        Returns
        -------
        ndarray of shape (n_L, m)
            The outputs A[L].

        Examples
        --------
        >>> from tinynet import Dense
        >>> model = Sequential([Dense(1)], inputs=1, seed=1)
        >>> model.W[1] = [[2.0]]
        >>> model.predict([[1.0, 2.0]])
        array([[2., 4.]], dtype=float32)
        """
        return training.fit.predict(self, X, batch_size, parallel)

    def predict_labels(
        self,
        X: Any,
        threshold: float | None = None,
        batch_size: int | None = None,
        parallel: Communicator | None = None,
    ) -> Array:
        """Return classes, integers of shape (m,).

        With one output the class is A[L] > threshold, with several the largest. Where each of
        several outputs is a yes or no, as for binary cross-entropy, the result is (n_L, m).

        Parameters
        ----------
        X, batch_size, parallel : array_like of shape (n_0, m), and others
            As for `predict`.
        threshold : float, optional
            By default 0.5, or 0 for the loss hinge.

        Returns
        -------
        ndarray of int, of shape (m,) or (n_L, m)
            The classes.

        Examples
        --------
        >>> from tinynet import Dense
        >>> model = Sequential([Dense(1, "sigmoid")], inputs=1, seed=1)
        >>> model.W[1] = [[2.0]]
        >>> model.predict_labels([[-1.0, 1.0]])
        array([0, 1])
        """
        A = self.predict(X, batch_size, parallel)
        threshold = training.tally.output_kind(self).threshold if threshold is None else threshold
        return (threshold < A).astype(np.intp) if self.is_multilabel else labels(A, threshold)

    def summary(self) -> Summary:
        """Return a table of the layers for ``print(model.summary())``; its repr is the table."""
        return summary(self)

    def save(self, path: Source) -> None:
        """Write description, parameters and state to one ``.npz`` file, which holds data only.

        The file is complete or as before, also when the disk is full or the process is killed.

        Parameters
        ----------
        path : str, PathLike or binary file
            Where to write, as in ``model.save("net.npz")``.
        """
        files.model.save(self, path)

    @classmethod
    def load(cls, path: Source) -> Self:
        """Return the model that `save` wrote to `path`; anything else is a `FileFormatError`.

        A file is not trusted: nothing in it runs, and nothing is read that is larger than the
        file. An unknown name is an `UnknownNameError`, which says in which layer.

        Parameters
        ----------
        path : str, PathLike or binary file
            What `save` wrote.

        Returns
        -------
        Sequential
            The model, with its parameters and state.

        Raises
        ------
        FileFormatError
            For any other file: ``tn.load("net.npy")``.
        """
        with files.archive.opened(path) as file:
            model = files.model.read(file, cls)
            has_run = "run" in file.description  # else nothing that trains is imported
            file.expect_no_more(training.checkpoint.array_names(file) if has_run else ())
        return model

    def __repr__(self) -> str:
        return one_line(self)

    def _repr_html_(self) -> str | None:
        """Return the table of `summary` for a notebook; None of a model that is not built."""
        return summary(self)._repr_html_() if self.is_built else None
