"""What other libraries call a thing of ours: Keras, PyTorch, scikit-learn and others."""

from __future__ import annotations

from collections.abc import Iterable

# Our name, and what others call it, without underscores and capitals.
_ELSEWHERE = {
    "mean_squared_error": "mse mseloss squarederror", "root_mean_squared_error": "rmse",
    "mean_absolute_error": "mae l1 l1loss maeloss absoluteerror",
    "binary_crossentropy": "bce bceloss bcewithlogitsloss logloss",
    "categorical_crossentropy":
        "crossentropy crossentropyloss sparsecategoricalcrossentropy nll nllloss",
    "huber": "smoothl1 smoothl1loss huberloss", "poisson": "poissonnllloss",
    "kl_divergence": "kl kld kldiv kldivloss kldivergenceloss kullbackleiblerdivergence",
    "hinge": "hingeloss hingeembeddingloss", "log_cosh": "logcoshloss",
    "ignore": "ignoreindex ignoreclass", "pos_weight": "positiveweight",
    "accuracy": "acc accuracyscore", "r2": "r2score", "f1": "f1score", "roc_auc": "auc rocaucscore",
    "sigmoid": "logistic", "silu": "swish",
    "hard_silu": "hardswish", "identity": "linear",
    "dense": "linear linearlayer fullyconnected", "batch_norm": "batchnormalization batchnorm1d",
    "self_attention": "multiheadattention attention mha", "simple_rnn": "rnn",
    "conv2d": "convolution2d", "conv1d": "convolution1d", "max_pool2d": "maxpooling2d",
    "average_pool2d": "averagepooling2d avgpool2d",
    "global_average_pool":
        "globalaveragepooling2d globalaveragepooling1d globalavgpool2d adaptiveavgpool2d",
    "piecewise": "piecewiseconstantdecay multisteplr", "one_cycle": "onecyclelr",
    "kernel": "kernelsize", "size": "poolsize kernelsize", "stride": "strides",
    "dilation": "dilationrate",
    "layer_norm": "layernormalization", "activate": "activation activationlayer",
    "sequential": "model net neuralnetwork functional module mlp mlpclassifier mlpregressor",
    "sgd": "sgdoptimizer momentum gradientdescent nesterov", "adam": "adamoptimizer",
    "optimizers": "optim", "initializers": "init", "load": "loadmodel",
    "glorot_uniform": "xavier xavieruniform", "glorot_normal": "xaviernormal",
    "he_normal": "kaiming kaimingnormal", "he_uniform": "kaiminguniform",
    "truncated_normal": "truncnormal", "uniform": "randomuniform", "normal": "randomnormal",
    "sequences": "returnsequences", "heads": "numheads nhead", "tokens": "numembeddings vocabsize",
    "units": "outfeatures outputdim hiddensize embeddingdim filters outchannels",
    "init": "kernelinitializer weightinit initializer",
    "l2": "kernelregularizer weightdecay alpha regularizer", "activation": "act nonlinearity",
    "learning_rate": "lr eta learningrateinit", "epsilon": "eps", "rate": "p",
    "slope": "negativeslope alpha", "clip_norm": "clipnorm maxnorm", "clip_value": "clipvalue",
    "epochs": "nbepoch maxiter numepochs nepochs iterations", "batch_size": "batch minibatch",
    "validation_data": "validation evalset", "validation_split": "validationfraction",
    "sample_weight": "sampleweights weights weight", "class_weight": "classweights",
    "steps_per_epoch": "samplesperepoch", "inputs": "inputshape inputdim infeatures",
    "optimizer": "solver", "layers": "nn",
    "on_batch_begin": "ontrainbatchbegin ontrainbatchstart onbatchstart",
    "on_batch_end": "ontrainbatchend", "on_train_begin": "ontrainstart onfitstart",
    "on_train_end": "onfitend", "on_epoch_begin": "onepochstart ontrainepochstart",
    "on_epoch_end": "ontrainepochend ontestend onvalidationend onvalidationepochend",
}  # fmt: skip

_OF_FIT = "fit(..., optimizer=SGD(learning_rate=0.1))"
_PARAMETERS = "model.get_parameters(), or model.W[l] and model.b[l]"
_SET = "model.set_parameters(parameters)"
_LOSS = "Sequential(..., loss=...)"
_HISTORY = 'history = model.fit(X, Y), and history["loss"]'
_INPUTS = "Sequential(..., inputs=n_0)"
_OF_CHANNELS = 'Dropout(rate, per="channel")'
_NO_BIAS = "Leave it out: a layer that has b always uses it."
# What is done another way here: what to write in its place. A name with "=" is that of an argument.
_INSTEAD = {
    "bias=": _NO_BIAS, "use_bias=": _NO_BIAS, "fit_intercept=": _NO_BIAS,
    "model.step": "optimizer.step(model), after model.forward(X) and model.back(Y)",
    "add": "Sequential([*model.layers, layer], ...)",
    "backward": "model.back(Y)", "backprop": "model.back(Y)", "build": _INPUTS,
    "coefs_": _PARAMETERS, "compile": f"{_LOSS} and fit(..., optimizer=..., metrics=[...])",
    "count_params": "model.n_params", "eval": "model.predict(X), which does not train",
    "fit_generator": "model.fit(batches)", "frozen": "fit(..., callbacks=[Freeze([1, 2])])",
    "get_weights": _PARAMETERS, "gradients": "model.grads",
    "history": _HISTORY, "input_dim": _INPUTS, "input_shape": _INPUTS, "in_features": _INPUTS,
    "intercepts_": _PARAMETERS, "load_state_dict": _SET, "load_weights": "tn.load(path)",
    "loss_": _HISTORY, "loss_curve_": _HISTORY, "lr": _OF_FIT, "learning_rate": _OF_FIT,
    "named_parameters": _PARAMETERS, "optimizer": "fit(..., optimizer=...)",
    "output_shape": "model.outputs", "parameters": f"model.params, {_PARAMETERS}",
    "prelu": "a layer: Dense(20), PReLU()", "log_softmax": '"softmax": the loss is exact with it',
    "gelu_tanh": "tn.activations.GELU(approximate=True)", "amsgrad": "tn.Adam(amsgrad=True)",
    "partial_fit": "model.fit(X, Y)", "predict_classes": "model.predict_labels(X)",
    "predict_proba": "model.predict(X)", "save_weights": "model.save(path)",
    "score": 'model.evaluate(X, Y, metrics=["accuracy"])', "seed": "Sequential(..., seed=1)",
    "set_weights": _SET, "state_dict": _PARAMETERS,
    "stop_training": 'self.run.stop("why"), in a callback', "test_on_batch": "model.evaluate(X, Y)",
    "to": "Sequential(..., dtype=...); it always computes on the CPU",
    "train": "model.forward(X, training=True)",
    "train_on_batch": "model.forward(X), model.back(Y) and optimizer.step(model)",
    "trainable": "fit(..., callbacks=[Freeze([1, 2])])",
    "trainable_variables": "model.params", "weight": _PARAMETERS, "weights": _PARAMETERS,
    "bias": _PARAMETERS, "Input": _INPUTS, "InputLayer": _INPUTS,
    "minimize": "optimizer.step(model), after model.forward(X) and model.back(Y)",
    "apply_gradients": "optimizer.step(model), after model.forward(X) and model.back(Y)",
    "zero_grad": "Leave it out: model.back(Y) overwrites the gradients.",
    "param_groups": "optimizer.evolve(learning_rate=...)", "loss": _LOSS,
    "early_stopping": "fit(..., callbacks=[EarlyStopping()])", "x": "fit(X, Y)", "y": "fit(X, Y)",
    "load_model": "tn.load(path)", "DataLoader": "fit(X, Y, batch_size=32)",
    "no_grad": "model.predict(X), which keeps no gradients", "tensor": "a NumPy array",
    "Add": 'Residual([...]), or Branches([[...], [...]], join="add")',
    "Concatenate": "Branches([[...], [...]])",
    "Dropout1d": _OF_CHANNELS, "Dropout2d": _OF_CHANNELS, "SpatialDropout1D": _OF_CHANNELS,
    "SpatialDropout2D": _OF_CHANNELS,
    "TimeDistributed": "Dense(units), which takes each position by itself",
    "ZeroPadding2D": "Conv2D(units, kernel, padding=...)",
}  # fmt: skip
_ALIKE, _ALMOST_EQUAL = 0.65, 0.88  # how similar names are, from 0 to 1


def ours(name: str, known: Iterable[str]) -> str | None:
    """Return which of the known names is ours for what others call `name`."""
    by_plain_name, name = {_plain(other): other for other in known}, _plain(name)
    for our_name, theirs in _ELSEWHERE.items():
        if name in theirs.split() and _plain(our_name) in by_plain_name:
            return by_plain_name[_plain(our_name)]
    return None


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def nearest_first(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names, the most similar to `name` first."""
    known = sorted(set(known))
    name = name[:100]  # a file may hold a name of a million letters
    name = ours(name, known) or name
    return sorted(known, key=lambda other: -_likeness(name, other))


def _likeness(name: str, other: str) -> float:
    from difflib import SequenceMatcher  # costs 3 ms; only an error needs it

    return SequenceMatcher(None, name.lower(), other.lower()).ratio()


def is_known(name: str, known: Iterable[str]) -> bool:
    """Return whether the tables above have the name, for one of the known names or by itself."""
    return name in _INSTEAD or ours(name, known) is not None


def instead(name: str) -> str:
    """Return what to write in place of what is done another way here, as a sentence, if known."""
    remedy = _INSTEAD.get(name, "")
    return f" {remedy}" if remedy.endswith(".") else f" Use {remedy}." if remedy else ""


def is_misspelt(name: str, known: Iterable[str]) -> bool:
    """Return whether one of the known names has the same letters, or almost the same."""
    return any(
        sorted(name) == sorted(other) or _likeness(name, other) >= _ALMOST_EQUAL for other in known
    )


def hint(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return what to write in place of an unknown name, as a sentence, or nothing.

    `prefix` comes before a known name.
    """
    known = list(known)
    our_name = ours(name, known)
    if our_name is not None:
        return f" Use {prefix}{our_name}."
    if prefix + name in _INSTEAD or name in _INSTEAD:
        return instead(prefix + name) or instead(name)
    near = [other for other in nearest_first(name, known)[:1] if _likeness(name, other) >= _ALIKE]
    return f" The nearest name is {prefix}{near[0]}." if near else ""


def missing(owner: str, name: str, known: Iterable[str], prefix: str = "") -> AttributeError:
    """Return the error for an attribute that `owner`, such as a module or a model, has not."""
    return AttributeError(f"{owner} has no attribute {name!r}.{hint(name, known, prefix)}")


def missing_in(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """Return the error for a name that a module has not."""
    return missing(f"module {module!r}", name, known, module.replace("tinynet", "tn") + ".")


def unexpected(call: str, name: str, known: Iterable[str]) -> TypeError:
    """Return the error for an argument that a function has not."""
    known = list(known)
    found = f"{call} got an unexpected argument {name!r}, expected {', '.join(known)}"
    return TypeError(f"{found}.{hint(name, known)}")
