"""How Sphinx builds these pages: python -m sphinx -n -W -b html docs docs/_build/html."""

import sys
from importlib.util import find_spec
from pathlib import Path

from sphinx.util import inspect

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "ext")]

from gallery_pages import SECTIONS  # noqa: E402

import tinynet  # noqa: E402  from here

project = "tinynet"
author = "The tinynet developers"
copyright = "The tinynet developers, MIT licence"
version = release = tinynet.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "sphinx.ext.autodoc", "sphinx.ext.intersphinx", "sphinx.ext.mathjax", "sphinx.ext.napoleon",
    "sphinx_copybutton", "sphinx_design", "sphinx_gallery.gen_gallery", "sphinx-mathjax-offline",
    # in ext/
    "descriptions", "docstrings", "families", "gallery_pages", "pictures", "validation",
]  # fmt: skip
exclude_patterns = ["_build", "inventories"]
for library, page in {"sklearn": "estimators", "torch": "exchange_torch"}.items():
    if not find_spec(library):  # the extra whose classes this page shows
        exclude_patterns.append(f"reference/{page}.rst")
        suppress_warnings = ["toc.excluded", "ref.doc"]
autodoc_mock_imports = [] if find_spec("onnx") else ["onnx"]  # it is only called, not shown

html_theme = "furo"
html_title = f"tinynet {version}"
html_theme_options = {"top_of_page_buttons": []}
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = ["scorer.js"]  # of the search
html_show_sourcelink = False
html_copy_source = False

# The prompts and the output of an example are not copied with it.
copybutton_exclude = ".linenos, .gp, .go"

# Pictures of the pages, drawn while these are built.
plot_include_source = False
plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = [("png", 144)]

# Names of Python and NumPy become links. The inventories are files here: nothing is downloaded.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", "inventories/python.inv"),
    "numpy": ("https://numpy.org/doc/stable/", "inventories/numpy.inv"),
}

# The gallery: programs that are run while the pages are built.
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "subsection_order": [f"../examples/gallery/{section}" for section in SECTIONS],
    "within_subsection_order": "gallery_pages.Order",
    "nested_sections": False,
    "filename_pattern": "plot_",
    "image_srcset": ["2x"],
    "capture_repr": (),  # what the last line returns is not shown
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "plot_gallery": "True",
}

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # the docstrings have types and shapes together
autodoc_inherit_docstrings = False  # forward and back are described once, in the family's base
napoleon_google_docstring = False
napoleon_use_param = False  # "ndarray of shape (n, m)" is for people, not the name of a class
napoleon_use_rtype = False
napoleon_preprocess_types = False
napoleon_custom_sections = [("Attributes", "params_style")]  # its types are words for people too

# A name between single backticks is a link where it is a public name, and code everywhere: it may
# also be an argument.
default_role = "py:obj"
nitpick_ignore_regex = [("py:obj", ".*")]


# The signature of a converter is shown once, and not again for each class that it knows.
inspect.is_singledispatch_function = lambda _: False
