"""What a message must contain: names, numbers, shapes and remedies, however they are connected."""

import contextlib
import re
import warnings

import pytest

from tinynet.errors import TrainingWarning


def missing(message, words):
    """Return which texts and patterns are not in a message.

    In a text … stands for anything, and its first letter may be the first of a sentence.
    """
    return [word for word in words if not _pattern(word).search(message)]


def _pattern(word):
    if isinstance(word, re.Pattern):
        return word
    first = f"[{word[0]}{word[0].upper()}]" if word[0].islower() else re.escape(word[0])
    return re.compile(first + ".*".join(map(re.escape, word[1:].split(" … "))), re.DOTALL)


@contextlib.contextmanager
def raises(error, *words):
    """Expect an error whose message contains all of the words."""
    with pytest.raises(error) as caught:
        yield caught
    message = str(caught.value)
    assert not missing(message, words), message


@contextlib.contextmanager
def warns(*words, times=1):
    """Expect so many warnings about a training, one of which contains all of the words."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
    messages = [str(warning.message) for warning in caught]
    assert all(warning.category is TrainingWarning for warning in caught), messages
    assert len(messages) == times, messages
    assert not times or any(not missing(message, words) for message in messages), messages
