"""Takes names one by one, finds out which belong together, and says why what is not kept is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from namespace_kernel.base.cell import Names
from namespace_kernel.base.safe_facts import class_name
from namespace_kernel.base.words import words_of
from namespace_kernel.durable.journal.turns import GivenUpError
from namespace_kernel.remote.transfer.exact import Refused

from .capture import Taken, share, take
from .hands import Hands, HungError, cpu_clock

Check = Callable[[], object]


class TooDearError(BaseException):
    """It costs more to keep than to make again."""


class Taker:
    """Takes values whose functions have `home` as globals, by `hands`. `check` may raise `GivenUpError`.

    Thread: the keeper's.
    """

    def __init__(self, home: Names, hands: Hands) -> None:
        self._home = home
        self._hands = hands

    def take(self, values: Names, most: float, check: Check) -> Taken | str:
        """What the names hold, or why it is not kept: also if it takes more than `most` seconds."""

        def work() -> Taken:
            began = cpu_clock()

            def step() -> None:
                check()
                self._hands.alive()
                if cpu_clock() - began > most:
                    raise TooDearError

            return take(values, self._home, step)

        try:
            return self._hands.call(work)
        except GivenUpError:
            raise
        except TooDearError:
            return f"to keep it takes longer than to make it again, and more than {most:.0f} s"
        except HungError:
            return "to pickle it did not end in time"
        except Refused as error:
            return words_of(error)
        except BaseException as error:
            return f"it cannot be pickled ({class_name(type(error))}: {_short(words_of(error))})"

    def groups(
        self, ids: Mapping[str, Iterable[int]], new: Iterable[str], names: Names, check: Check
    ) -> list[list[str]]:
        """The names `new`, those together that share a mutable object, also with others of `ids`."""
        group_of = {name: [name] for name in new}
        done: set[str] = set()
        for name in [name for name in group_of if ids.get(name)]:
            done.add(name)
            mine = frozenset(ids[name])
            for other, theirs in ids.items():
                if other in done or not theirs or mine.isdisjoint(theirs):
                    continue
                first, second = group_of[name], group_of.setdefault(other, [other])
                if first is not second and self._share(name, other, names, check):
                    first.extend(second)
                    group_of |= dict.fromkeys(second, first)
        return [sorted(group) for group in {id(group): group for group in group_of.values()}.values()]

    def _share(self, first: str, second: str, names: Names, check: Check) -> bool:
        """The ids may be of objects that are no more; so both are looked at together."""
        try:
            one, other = {first: names[first]}, {second: names[second]}
            return self._hands.call(share, one, other, self._home, check)
        except GivenUpError:
            raise
        except BaseException:
            return False


def _short(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= 120 else line[:119] + "…"
