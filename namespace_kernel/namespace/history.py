"""Inputs and results of an embedded session: the engine source where there is no IPython."""

from __future__ import annotations

from namespace_kernel.base.cell import Namespace

from .reserved_names import MISSING


class ResultHistory:
    """`In`, `Out` and the last three results, shifted as IPython shifts them.

    Results are never compared: 0, "" and arrays count, `None` does not.

    Thread: any, under the namespace's lock.
    """

    def __init__(self) -> None:
        self.inputs: list[str] = [""]
        self.outputs: dict[int, object] = {}
        self.directories: list[str] = []
        self._last: tuple[object, ...] = (None, None, None)

    def record_input(self, code: str) -> int:
        """Remember `code`; return its number, counted from 1."""
        self.inputs.append(code)
        return len(self.inputs) - 1

    def record_result(self, value: object, number: int) -> None:
        """Make `value` the newest result, that of input `number`, unless it is `None`."""
        if value is None:
            return
        self._last = (value, *self._last[:2])
        self.outputs[number] = value

    def accept(self, names: Namespace) -> None:
        """See `EngineSource`."""
        old = self._last
        self._last = (names.get("_", old[0]), names.get("__", old[1]), names.get("___", old[2]))

    def transforms(self) -> bool:
        """See `EngineSource`."""
        return False

    def results(self) -> list[object]:
        """See `EngineSource`."""
        return [*self._last, *self.outputs.values()]

    def replace(self, old: object, new: object) -> None:
        """Put `new` wherever `old` is kept."""
        self._last = tuple(new if value is old else value for value in self._last)
        for number, value in self.outputs.items():
            if value is old:
                self.outputs[number] = new

    def values(self) -> Namespace:
        """See `EngineSource`."""
        recent = ["", "", "", *self.inputs[1:]]
        names: Namespace = {
            "In": self.inputs,
            "_ih": self.inputs,
            "Out": self.outputs,
            "_oh": self.outputs,
            "_dh": self.directories,
            "_i": recent[-1],
            "_ii": recent[-2],
            "_iii": recent[-3],
        }
        names["_"], names["__"], names["___"] = self._last
        return names

    def numbered(self, name: str) -> object:
        """See `EngineSource`."""
        if name.startswith("_i"):
            number = int(name[2:])
            return self.inputs[number] if number < len(self.inputs) else MISSING
        return self.outputs.get(int(name[1:]), MISSING)
