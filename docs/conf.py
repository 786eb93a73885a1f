"""How Sphinx builds these pages: python -m sphinx -n -W -b html docs docs/_build/html."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tinynet  # noqa: E402  (only now is it in the path)

project = "tinynet"
author = "The tinynet developers"
copyright = "The tinynet developers, MIT licence"
version = release = tinynet.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"tinynet {version}"

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_class_signature = "mixed"
autodoc_typehints = "none"  # the docstrings tell types and shapes together
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
default_role = "any"
