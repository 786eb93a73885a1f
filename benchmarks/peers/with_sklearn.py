"""scikit-learn's MLPClassifier."""

import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

VERSION = sklearn.__version__
_HIDDEN = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


def _classifier(network, **settings):
    return MLPClassifier(
        network.sizes[1:-1],
        activation=_HIDDEN[network.hidden],
        solver=network.optimizer,
        alpha=0,
        batch_size=network.m,
        learning_rate_init=network.rate,
        momentum=0,
        nesterovs_momentum=False,
        random_state=1,
        **settings,
    )


def step(network, X, y):
    """`partial_fit` of one batch: the one way to take a single step."""
    if network.hidden not in _HIDDEN:
        return None
    classifier, classes = _classifier(network), np.arange(network.classes)
    return lambda: classifier.partial_fit(X, y, classes=classes)


def trainers(network, X, y):
    """`fit` of one epoch more, from where the last one ended."""
    classifier = _classifier(network, max_iter=1, warm_start=True)

    def fit():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(X, y)

    fit.labels = classifier.predict
    return {"fit": fit}


def predictor(network, X):
    """`predict_proba`."""
    few, y = network.batch(100)
    classifier = _classifier(network)
    classifier.partial_fit(few, y, classes=np.arange(network.classes))
    return lambda: classifier.predict_proba(X)
