"""jedi looks at every name of an object, then drops those that do not begin as what was typed.

Of `os` there are 389, each looked up in the object and its types without running code, and made an object of
jedi's: 3 of the 4.5 ms of completing `os.pa`. Of a DataFrame it also infers what each property returns. Here
the names that would be dropped are left out before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

from namespace_kernel.base.patching import Patch, Patches

T = TypeVar("T")
#: jedi's objects, one for each name.
Found: TypeAlias = list[object]

#: Those whose code has been compared with what stands here.
_KNOWN = ("0.19.", "0.20.")

#: What was typed of the name. In the context of one completion.
_typed: ContextVar[str] = ContextVar("namespace_kernel.typed", default="")


def skip_other_names() -> None:
    """Let jedi's completion leave out early what it drops late. Once is enough.

    The answer is the same. Thread: the one that completes.
    """
    import jedi.api.completion  # type: ignore[import-untyped]

    if jedi.__version__.startswith(_KNOWN):
        PATCHES.install()


def _noting_what_was_typed(complete_all: Callable[[Any, object], T]) -> Callable[[Any, object], T]:
    def complete_python(self: Any, leaf: object) -> T:
        token = _typed.set("" if self._fuzzy else self._like_name)
        try:
            return complete_all(self, leaf)
        finally:
            _typed.reset(token)

    return complete_python


def _leaving_out(all_values: Callable[[Any], Found]) -> Callable[[Any], Found]:
    from jedi.api import completion
    from jedi.inference.compiled import builtin_from_name  # type: ignore[import-untyped]

    # Only these drop names. Others ask for all because they infer by what there is.
    dropping = (
        completion.complete_trailer.__code__,
        completion.Completion._complete_global_scope.__code__,
    )

    def values(self: Any) -> Found:
        """`CompiledValueFilter.values`, with one line more."""
        typed = _typed.get()
        if not typed or sys._getframe(1).f_code not in dropping:
            return all_values(self)
        access = self.compiled_value.access_handle
        names, lower = [], typed.lower()
        for name in dict.fromkeys(access.dir()):
            # jedi ignores case, unless it is told otherwise; it looks again.
            if name.startswith(typed) or name.lower().startswith(lower):
                names += self._get(name, access.is_allowed_getattr, lambda name: True)
        if not self.is_instance and access.needs_type_completions():
            for names_of_type in builtin_from_name(self._inference_state, "type").get_filters():
                names += names_of_type.values()
        return names

    return values


PATCHES = Patches(
    Patch("jedi.api.completion.Completion", "_complete_python", _noting_what_was_typed),
    Patch("jedi.inference.compiled.value.CompiledValueFilter", "values", _leaving_out),
)
