"""What it is in a function or a class that cannot go to another process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType


def words_for(error: Exception, definition: FunctionType | type, travels: Callable[[object], bool]) -> str:
    """In words, what it is in `definition` that cannot be pickled. `travels` tells whether a part can."""
    culprit = next((part for part, value in _parts_of(definition) if not travels(value)), "")
    because = f"its {culprit} cannot be pickled" if culprit else "it cannot be pickled"
    what = "class" if isinstance(definition, type) else "function"
    return (
        f"the {what} `{definition.__qualname__}` cannot go to another process: {because} "
        f"({type(error).__name__}: {error}). Make it there, in the function that runs there."
    )


def _parts_of(definition: FunctionType | type) -> Iterator[tuple[str, object]]:
    if isinstance(definition, FunctionType):
        code = definition.__code__
        for name, cell in zip(code.co_freevars, definition.__closure__ or (), strict=True):
            yield f"variable `{name}`", cell
        for name, value in zip(
            reversed(code.co_varnames[: code.co_argcount]),
            reversed(definition.__defaults__ or ()),
            strict=False,
        ):
            yield f"default of `{name}`", value
        yield from ((f"attribute `{name}`", value) for name, value in vars(definition).items())
    else:
        for name, value in vars(definition).items():
            if name not in ("__dict__", "__weakref__") and not hasattr(object, name):
                yield f"attribute `{name}`", value
