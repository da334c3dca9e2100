"""Stand-ins for modules: run when they are used, once, whoever uses them and however."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from namespace_kernel import lazy_modules

Defer = Callable[..., Any]
NAME = "deferred_by_a_test"


@pytest.fixture
def defer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Defer]:
    """Write a module with this source and let a stand-in take its place."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(source: str, name: str = NAME, **known: Any) -> Any:
        path = tmp_path.joinpath(*name.split("."))
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".py").write_text(f"import builtins\nbuiltins.runs.append(1)\n{source}")
        importlib.invalidate_caches()
        assert lazy_modules._defer(name, **known)
        return sys.modules[name]

    monkeypatch.setattr("builtins.runs", [], raising=False)
    yield make
    for name in [name for name in sys.modules if name.startswith(NAME)]:
        del sys.modules[name]


def runs() -> int:
    import builtins

    return len(builtins.runs)  # type: ignore[attr-defined]


USES: dict[str, Callable[[Any], Any]] = {
    "a name": lambda module: module.x,
    "from": lambda module: __import__(NAME, fromlist=["x"]).x,
    "star": lambda module: exec(f"from {NAME} import *", {}),
    "dir": lambda module: dir(module).index("x"),
    "vars": lambda module: vars(module)["x"],
    "hasattr": lambda module: hasattr(module, "nothing"),
    "del": lambda module: delattr(module, "y"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_it_is_run_once_when_it_is_used(use: Callable[[Any], Any], defer: Defer) -> None:
    module = defer("x = 1\ny = 2")
    assert importlib.import_module(NAME) is module
    assert (module.__name__, module.__spec__.name, Path(module.__file__).stem) == (NAME, NAME, NAME)
    assert runs() == 0
    use(module)
    assert module.x == 1
    assert (runs(), type(module)) == (1, ModuleType)


def test_an_import_runs_it_once_the_kernel_has_started(defer: Defer, monkeypatch: pytest.MonkeyPatch) -> None:
    module = defer("x = 1")
    exec(f"import {NAME}", {})
    assert runs() == 0
    monkeypatch.setattr(lazy_modules, "_run_by_import", set())
    lazy_modules.end_deferring()
    exec(f"import {NAME}", {})
    assert (runs(), type(module)) == (1, ModuleType)


def test_it_can_be_sent_to_another_process(defer: Defer) -> None:
    import cloudpickle

    module = defer("x = 1")
    assert cloudpickle.loads(cloudpickle.dumps(module)) is module
    assert cloudpickle.loads(cloudpickle.dumps(lambda: module))() is module


def test_what_is_set_stays_set(defer: Defer) -> None:
    module = defer("x = 1\ny = 2")
    module.x = 5
    assert (module.x, module.y, runs()) == (5, 2, 1)


def test_what_is_known_needs_no_run(defer: Defer) -> None:
    module = defer("x = 1", x=3)
    assert (module.x, runs()) == (3, 0)
    assert not hasattr(module, "y")
    assert (module.x, runs()) == (1, 1)


def test_one_that_fails_says_so_again(defer: Defer) -> None:
    module = defer("1/0")
    for count in (1, 2):
        with pytest.raises(ZeroDivisionError):
            module.x
        assert runs() == count


def test_one_that_was_stopped_is_run_again(defer: Defer) -> None:
    module = defer("first = len(builtins.runs) == 1\nx = 1\nif first: raise KeyboardInterrupt\ny = 2")
    with pytest.raises(KeyboardInterrupt):
        module.y
    assert (module.y, module.first, runs()) == (2, False, 2)


def test_one_that_looks_at_itself_while_it_is_run(defer: Defer) -> None:
    module = defer(f"import {NAME} as me\nearly = hasattr(me, 'x')\nx = 1")
    assert (module.x, module.early, runs()) == (1, False, 1)


def test_other_threads_wait_until_it_is_run(defer: Defer) -> None:
    module = defer("import time\ntime.sleep(.2)\nx = 1")
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(module.x)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, runs()) == ([1] * 8, 1)


@pytest.mark.parametrize("circle", [False, True], ids=["two stand-ins", "in a circle"])
def test_threads_that_import_each_others_modules_do_not_wait_for_ever(
    circle: bool, defer: Defer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One runs a stand-in, which imports a module that the other imports, which uses a stand-in."""
    first, second, ordinary = NAME, f"{NAME}_second", f"{NAME}_ordinary"
    begun = threading.Barrier(2)
    monkeypatch.setattr("builtins.begun", begun, raising=False)
    used = first if circle else second
    module = defer(f"import sys\nbuiltins.begun.wait(30)\nimport {ordinary}\nx = 1")
    defer("x = 1", second)
    (tmp_path / f"{ordinary}.py").write_text(
        f"import builtins\nbuiltins.begun.wait(30)\nimport {used}\nfound = hasattr({used}, 'x')"
    )
    threads = [
        threading.Thread(target=getattr, args=(module, "x"), daemon=True),
        threading.Thread(target=importlib.import_module, args=(ordinary,), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert (module.x, type(module)) == (1, ModuleType)
    assert circle or sys.modules[ordinary].found


def test_one_in_a_package_is_the_packages_and_does_not_import_it(defer: Defer) -> None:
    package = f"{NAME}_package"
    module = defer("x = 1", f"{package}.inside")
    assert package not in sys.modules
    parent = importlib.import_module(package)
    lazy_modules._give_to_packages()
    assert parent.inside is module
    assert (runs(), module.x) == (0, 1)


def test_a_part_of_a_package_does_not_run_the_package(tmp_path: Path, defer: Defer) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "__init__.py").write_text("import builtins\nbuiltins.runs.append(1)\ny = 2")
    (tmp_path / NAME / "part.py").write_text("x = 1")
    assert lazy_modules._defer(NAME)
    part = importlib.import_module(f"{NAME}.part")
    package: Any = sys.modules[NAME]
    assert (part.x, package.part is part, runs()) == (1, True, 0)
    assert (package.y, runs()) == (2, 1)


def test_one_that_is_imported_already_is_left_alone() -> None:
    assert not lazy_modules._defer("threading")
    assert sys.modules["threading"] is threading


@pytest.mark.parametrize(
    "date", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456+01:00", "2026-01-02T03:04:05.5-0330"]
)
def test_dates_are_parsed_as_dateutil_does(date: str) -> None:
    from dateutil.parser import isoparse

    ours, theirs = lazy_modules._date_parser("isoparse")(date), isoparse(date)
    assert ours == theirs
    assert ours.utcoffset() == theirs.utcoffset() is not None
    assert ours.isoformat() == theirs.isoformat()


def test_what_python_does_not_know_is_dateutils() -> None:
    assert lazy_modules._date_parser("parse")("1 May 2020").day == 1
