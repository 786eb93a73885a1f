"""What is not collected: the modules of an extra that is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("sklearn") else ["tinynet/sklearn"]
