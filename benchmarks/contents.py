"""The tables of the benchmark, in their order."""

import dataclasses
from collections.abc import Callable

import contended
import footprint
import measures
import memory
import parts
import scoring


@dataclasses.dataclass(frozen=True)
class Table:
    """A table: the function that yields its rows, and how they are shown.

    `base` is the column that the others are divided by, and None where no ratio makes sense.
    `threads` says for which numbers of threads it is made: once where they make no difference.
    """

    title: str
    measure: Callable
    unit: str = "seconds"
    base: str | None = "tinynet"
    threads: tuple[str, ...] = ("default", "one")


ONCE, SINGLE = ("default",), ("one",)
TABLES = {
    "steps": Table("One training step", measures.steps),
    "floor": Table(
        "One training step of tinynet and its matrix products alone", measures.floor, base="floor"
    ),
    "by_hand": Table(
        "One training step of tinynet and the same step written out in NumPy", measures.by_hand,
        base="by hand", threads=SINGLE,
    ),
    "parts": Table("Where the time of a step goes", parts.step, base="whole step", threads=SINGLE),
    "epochs": Table("One epoch of fit, 60,000 examples", measures.epochs, base="tinynet fit"),
    "columns": Table(
        "One epoch of tinynet's fit, X in rows and in columns, and the same steps alone",
        measures.columns, base="bare steps",
    ),
    "to_accuracy": Table(
        "Training to 97.5 % of MNIST's test images", measures.to_accuracy, base="tinynet fit"
    ),
    "inference": Table("One prediction", measures.inference),
    "contended": Table(
        "30 epochs of fit, 30-100-1 on 569 examples, beside a busy process for each core",
        contended.fits, base="one thread", threads=ONCE,
    ),
    "normalization": Table(
        "Normalization of 1024 units, m=256, in training", parts.normalization, threads=SINGLE
    ),
    "gelu": Table("GELU alone", parts.gelu, base="forward", threads=ONCE),
    "dead_units": Table(
        "One update of 100,000 parameters after 1,500 steps with gradients of exactly 0",
        parts.dead_units, base="fresh", threads=ONCE,
    ),
    "growth": Table("Left behind by 10,000 steps", memory.growth, "bytes", threads=ONCE),
    "allocations": Table(
        "Held during a step and not before it", memory.allocations, "bytes", threads=ONCE
    ),
    "training": Table(
        "Peak of memory, over data and parameters, of an epoch of 60,000 examples",
        memory.training, "bytes", threads=ONCE,
    ),
    "prediction": Table(
        "Peak of memory, over data and parameters, with 100,000 examples of 784 numbers",
        memory.prediction, "bytes", "data", threads=ONCE,
    ),
    "imports": Table("Import", footprint.imports, threads=ONCE),
    "beyond": Table(
        "Import after numpy and attrs", footprint.beyond, base="numpy and attrs", threads=ONCE
    ),
    "installed": Table("Installed, with all it needs", footprint.installed, "bytes", threads=ONCE),
    "images": Table(
        "One training step of networks for images of 28x28", measures.images, threads=SINGLE
    ),
    "image_prediction": Table(
        "One prediction of 10,000 images of 28x28", measures.image_prediction, threads=SINGLE
    ),
    "image_memory": Table(
        "Peak of memory, over data and parameters, of a prediction of 10,000 images of 28x28",
        memory.images, "bytes", threads=SINGLE,
    ),
    "recurrent": Table(
        "One pass of recurrent layers, forward and back", measures.recurrent, threads=SINGLE
    ),
    "scoring": Table("One prediction of a saved model", scoring.predictions, threads=SINGLE),
    "requests": Table(
        "One request to threads that share a model, if each has many to do",
        scoring.requests, base="1 thread", threads=ONCE,
    ),
}  # fmt: skip
