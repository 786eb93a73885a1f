"""Networks as scikit-learn estimators; an extra: ``pip install "tinynet[sklearn]"``.

Here an example is a row, as everywhere in scikit-learn. The model inside, ``model_``, has columns.
"""

try:
    from tinynet.sklearn.classifier import NetworkClassifier
    from tinynet.sklearn.regressor import NetworkRegressor
except ImportError as error:
    if not str(error.name).startswith(("sklearn", "scipy", "threadpoolctl")):
        raise
    found = f"tinynet.sklearn needs scikit-learn 1.6 or newer: {error}."
    raise ImportError(f'{found} Use pip install "tinynet[sklearn]".', name=error.name) from error

__all__ = ["NetworkClassifier", "NetworkRegressor"]
