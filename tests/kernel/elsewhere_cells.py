"""Cells as people write them, each of which must come to the same here and in another process."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.kernel.cells import ANSI, OUTPUT_TYPES, Cell
from tests.kernel.client import Notebook


@dataclass(frozen=True)
class Case:
    """`before` runs here, `code` here or elsewhere, and `after` shows here what is left of it.

    `lost` is a name that is not bound if the cell fails elsewhere, for then nothing is merged.
    """

    before: str
    code: str
    after: str = "None"
    lost: str = ""


CASES = {
    "primes": Case(
        "limit = 50",
        "sieve = [True] * limit\n"
        "for i in range(2, limit):\n"
        "    for j in range(i * i, limit, i):\n"
        "        sieve[j] = False\n"
        "primes = [i for i in range(2, limit) if sieve[i]]\n"
        "print(len(primes))\n"
        "primes",
        "primes, i, j, sum(sieve)",
    ),
    "words": Case(
        "from collections import Counter\ntext = 'the cat and the dog and the bird'",
        "counts = Counter(text.split())\nlongest = max(counts, key=len)\ncounts.most_common(2)",
        "counts, longest, type(counts)",
    ),
    "functions of other cells": Case(
        "rate = 3\ndef scale(x): return x * rate\ndef twice(f): return lambda x: f(f(x))",
        "rate = 4\nsquared = twice(scale)\nscale(2), squared(2)",
        "rate, squared(1), (rate := 10), squared(1), scale(1)",
    ),
    "a class hierarchy": Case(
        "class Shape:\n    made = []\n    def __init__(self): self.made.append(type(self).__name__)\n"
        "    def area(self): return 0\n"
        "class Square(Shape):\n    def __init__(self, a):\n        super().__init__()\n        self.a = a\n"
        "    def area(self): return super().area() + self.a ** 2\n"
        "shapes = [Square(2)]",
        "shapes.append(Square(3))\nShape.total = sum(one.area() for one in shapes)\nShape.total",
        "[one.area() for one in shapes], Shape.made, Square.total, {type(one) is Square for one in shapes}",
    ),
    "dataclasses": Case(
        "from dataclasses import dataclass, field\n"
        "@dataclass(order=True)\nclass Item:\n    price: float\n    tags: list = field(default_factory=list)"
        "\nitems = [Item(3.5), Item(1.0, ['new'])]",
        "items.sort()\ncheapest = items[0]\ncheapest.tags.append('cheap')\ncheapest",
        "items, cheapest is items[0], Item(1) < Item(2)",
    ),
    "closures that count": Case(
        "def counter():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n        return n\n"
        "    return up, lambda: n\n"
        "up, get = counter()\nup();",
        "up(); up()\nget()",
        "get(), up(), get()",
    ),
    "decorators and caches": Case(
        "import functools\ncalls = []\n"
        "def noted(f):\n    @functools.wraps(f)\n    def inner(*args):\n"
        "        calls.append(args)\n        return f(*args)\n    return inner\n"
        "@functools.lru_cache(maxsize=None)\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
        "@noted\ndef add(a, b=1):\n    'Adds.'\n    return a + b",
        "big = fib(80)\nadd(1, 2), add(3), add.__name__, add.__doc__",
        "big, fib(10), calls, add(5), calls",
    ),
    "generators that are used up": Case(
        "def walk(tree):\n    for node in tree:\n        if isinstance(node, list):\n"
        "            yield from walk(node)\n        else:\n            yield node",
        "flat = list(walk([1, [2, [3]], 4]))\ntotal = sum(x for x in walk([flat]))\nflat, total",
        "flat, total, list(walk([1]))",
    ),
    "enumerations, partials and named tuples": Case(
        "import enum, functools, operator\nfrom typing import NamedTuple\n"
        "class Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\n"
        "class Point(NamedTuple):\n    x: int\n    y: int = 0\n"
        "add_one = functools.partial(operator.add, 1)",
        "best = Colour.BLUE\np = Point(add_one(2))\npainted = {Colour.RED: [p]}\nbest, p",
        "best is Colour.BLUE, p, isinstance(p, Point), painted[Colour.RED]",
    ),
    "the standard library": Case(
        'import json, re, datetime, decimal, fractions, pathlib\nraw = \'{"a": [1, 2], "b": "3 Nov"}\'',
        "data = json.loads(raw)\nday = datetime.date(2024, 11, int(re.search(r'\\d+', data['b'])[0]))\n"
        "cents = decimal.Decimal('0.1') + decimal.Decimal('0.2')\nhalf = fractions.Fraction(1, 2)\n"
        "path = pathlib.PurePosixPath('/a') / 'b'\ndata, day, cents, half, path",
        "data, day, cents, half, path",
    ),
    "names that are deleted": Case(
        "a = 1; b = 2; c = [1]",
        "del a\nglobals()['d'] = b + 1\nc += [2]\nfor _ in range(3): pass\n"
        "sorted(n for n in ('a', 'b', 'd') if n in globals())",
        "'a' in globals(), b, c, d",
    ),
    "output of every kind": Case(
        "import sys\nfrom IPython.display import HTML, Markdown, display",
        "print('out', end='')\ndisplay(HTML('<b>x</b>'), Markdown('*y*'))\n"
        "handle = display('first', display_id='the-id')\nhandle.update('second')\n"
        "print('err', file=sys.stderr)\n1; 2",
    ),
    "a result that is silenced": Case("", "3 * 14;", "Out, _"),
    "commands": Case(
        "name = 'Ada'", "listed = !echo hello $name\n!echo 'from the shell'; exit 3", "listed, _exit_code"
    ),
    "warnings": Case(
        "import warnings\nwarnings.filterwarnings('ignore', message='unimportant')",
        "warnings.warn('unimportant')\nwarnings.warn('important')",
    ),
    "await": Case(
        "import asyncio\nfactor = 2\n"
        "async def get(x):\n    await asyncio.sleep(0.01 * x)\n    return x * factor",
        "found = await asyncio.gather(*(get(i) for i in range(3)))\n"
        "async with asyncio.timeout(5):\n    last = await get(1)\nfound",
        "found, last",
    ),
    "tasks of a cell that never awaits": Case(
        "import asyncio\nseen = []\nasync def note(x): seen.append(x)",
        "task_names = [asyncio.create_task(note(i), name=f't{i}').get_name() for i in range(2)]\ntask_names",
        "task_names",
    ),
    "numpy": Case(
        "import numpy as np\nm = np.arange(6.0).reshape(2, 3)",
        "m[0] = -1\ncov = np.cov(m)\nt = m.T @ m\nw = np.linalg.eigvalsh(t)\nm.mean(axis=0), w.shape",
        "m, cov, t.dtype, t.flags.writeable, m.flags.writeable",
    ),
    "numpy's random numbers": Case(
        "import numpy as np\nrng = np.random.default_rng(7)\nfirst = rng.random()",
        "sample = rng.normal(size=5000)\nround(float(sample.mean()), 6)",
        "sample[:3], rng.random(), sample.shape",
    ),
    "large arrays changed in place": Case(
        "import numpy as np\nbig = np.zeros((400, 500)); same = big; untouched = np.ones(20_000)",
        "big[3] += untouched[:500]\nsame[4, 4] = 9\nbig.sum()",
        "big.sum(), same is big, untouched.sum()",
    ),
    "pandas": Case(
        "import pandas as pd\ndf = pd.DataFrame({'g': list('aabb'), 'v': [1, 2, 3, 4]})\n"
        "limit = 1\ndef spread(s): return s.max() - s.min() + limit",
        "df['w'] = df.v * 2\nby = df.groupby('g').agg(total=('v', 'sum'), spread=('w', spread))\n"
        "few = df.query('v > @limit')\nby",
        "df, by, few, df.dtypes",
    ),
    "pandas with dates": Case(
        "import pandas as pd\nindex = pd.date_range('2024-01-01', periods=48, freq='h', tz='UTC')\n"
        "series = pd.Series(range(48), index=index)",
        "daily = series.resample('D').mean()\nseries.iloc[0] = 100\ndaily",
        "daily, series.iloc[0], series.index.tz",
    ),
    "scikit-learn": Case(
        "import numpy as np\nfrom sklearn.linear_model import LinearRegression\n"
        "X = np.arange(10.0).reshape(-1, 1); y = 3 * X[:, 0] + 1; model = LinearRegression()",
        "model.fit(X, y)\nround(model.score(X, y), 6)",
        "model.coef_.round(6), round(float(model.intercept_), 6), model.predict([[2.0]]).round(6)",
    ),
    "a pipeline with cross validation": Case(
        "from sklearn.datasets import load_iris\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer, StandardScaler\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import cross_val_score\n"
        "power = 2\ndef transform(X): return X ** power\n"
        "steps = FunctionTransformer(transform), StandardScaler(), LogisticRegression(max_iter=500)\n"
        "pipe = make_pipeline(*steps)",
        "X, y = load_iris(return_X_y=True)\nscores = cross_val_score(pipe, X, y, cv=3).round(4)\n"
        "fitted = pipe.fit(X, y)\nscores",
        "scores, fitted.predict(X[:3]), X.shape",
    ),
    "an error in the cell": Case("x = {'a': 1}", "y = 1\n\nx['b']", "_exception, x", lost="y"),
    "an error in a function of another cell": Case(
        "def outer(x):\n    y = x - 1\n    return inner(y)\n\ndef inner(y):\n    return 1 / y",
        "outer(1)",
    ),
    "an error of one's own with its cause": Case(
        "class Refused(Exception):\n    def __init__(self, code):\n"
        "        super().__init__(f'code {code}')\n        self.code = code",
        "try:\n    int('x')\nexcept ValueError as error:\n    raise Refused(7) from error",
        "type(_exception) is Refused, _exception.code, _exception.args",
    ),
    "a syntax error": Case("", "x = 1\ny = = 2"),
    "an exit": Case("import sys", "said = 1\nprint('bye')\nsys.exit(4)", "_exit_code", lost="said"),
    "no memory": Case("", "a = 1\nb = bytearray(1 << 60)", lost="a"),
}


def play(notebook: Notebook, case: Case, directive: str) -> dict[str, object]:
    """Run a case, its cell with `directive` above; what a person sees of it, and what it left."""
    assert notebook.run("%reset -f").status == "ok"
    assert notebook.run(case.before).status == "ok"
    # Without a directive, a blank line stands in its place, so the lines of tracebacks are the same.
    cell = notebook.run(f"{directive}\n{case.code}", timeout=100)
    after = notebook.run(case.after)
    return {
        "outputs": outputs_of(cell),
        "status": cell.status,
        "error": (cell.reply.get("ename"), comparable(cell.reply.get("evalue", ""))),
        "traceback": comparable("\n".join(cell.reply.get("traceback", []))),
        "after": after.result or after.reply.get("evalue"),
        "lost": notebook.run(f"{case.lost!r} in globals()").result,
    }


def outputs_of(cell: Cell) -> list[object]:
    """Its outputs but errors, in order; of each stream one, for they may be sent in any parts."""
    streams = {"stdout": "", "stderr": ""}
    shown: list[object] = []
    for message in cell.messages:
        content = message["content"]
        if message["msg_type"] == "stream":
            streams[content["name"]] += content["text"]
        elif message["msg_type"] in OUTPUT_TYPES - {"error"} and not content.get("transient", {}).get(
            "display_id", ""
        ).startswith("receipt-"):
            shown.append(
                (message["msg_type"], content["data"], content["metadata"], content.get("transient"))
            )
    return [*shown, {name: comparable(text) for name, text in streams.items()}]


def comparable(text: str) -> str:
    """Without what differs between two runs: colours, numbers of cells, temporary files, addresses."""
    text = ANSI.sub("", text)
    text = re.sub(r"In ?\[\d+\]", "In [n]", text)
    text = re.sub(r"\d+\.py", "cell.py", text)
    text = re.sub(r"%%(dask|isolated)", "%%elsewhere", text)
    return re.sub(r"0x[0-9a-f]+", "0x", text)
