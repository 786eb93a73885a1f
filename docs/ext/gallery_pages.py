"""The pages of the gallery: the order of the examples, what thumbnails say, and their looks."""

import re
from pathlib import Path

SECTIONS = ("basics", "parts", "training", "digits", "sequences")
# Within a section, from what needs little knowledge to what needs more.
EXAMPLES = (
    "decision_boundaries", "learning_a_border", "curve_fitting", "ensemble",
    "activations", "losses", "schedules", "vanishing_gradients", "dead_relus",
    "learning_rate", "early_stopping", "dropout", "batch_normalization", "optimizers",
    "loss_landscape",
    "wrong_digits", "confusion_matrix", "first_layer_weights", "convolution_filters",
    "saliency", "adversarial", "autoencoder",
    "embedding", "attention", "gradients_through_time",
)  # fmt: skip
_THUMBNAIL = re.compile(r"(\.\. image:: /(\S+)/images/thumb/sphx_glr_(\w+)_thumb.png\n +:alt:)\n")
_ALT = re.compile(r":alt: (.+)")


class Order:
    """The sort key of an example within its section."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, filename):
        """Return the place of an example, by the name of its file."""
        return EXAMPLES.index(Path(filename).stem.removeprefix("plot_"))


def describe_thumbnails(app, docname, source):
    """Give a thumbnail the alternative text of its picture: without it, it has none."""

    def described(match):
        begin, folder, name = match.groups()
        page = Path(app.srcdir, folder, f"{name}.rst").read_text("utf-8")
        return f"{begin} {_ALT.search(page)[1]}\n"

    if docname.endswith("gallery/index"):
        source[0] = _THUMBNAIL.sub(described, source[0])


def setup(app):
    """Have thumbnails described, and the pages styled."""
    app.connect("source-read", describe_thumbnails)
    app.add_css_file("gallery.css")
    return {"parallel_read_safe": True}
