"""Functions, what they close over, and what is half done."""

from __future__ import annotations

from .kinds import Kind

KINDS = (
    Kind(
        "a function that reads the namespace",
        "k = 1\ndef f(): return k",
        "k = 9\nf.__globals__ is globals() and f() == 9",
    ),
    Kind("a lambda in a dict", "x = {'sq': lambda v: v * v}", "x['sq'](3) == 9"),
    Kind(
        "defaults that are changed",
        "def f(v, seen=[]):\n    seen.append(v)\n    return seen\nkept = f(1)",
        "f(2) is kept and kept[:2] == [1, 2]",
    ),
    Kind(
        "keyword defaults and annotations",
        "def f(a: int, *, b: 'str' = 'x', **k) -> list: 'doc'\nf.note = {'n': 1}",
        "f.__kwdefaults__ == {'b': 'x'} and f.__annotations__['a'] is int and f.__doc__ == 'doc' and f.note == {'n': 1}",
    ),
    Kind(
        "a closure", "def adder(n):\n    def add(v): return n + v\n    return add\nx = adder(3)", "x(4) == 7"
    ),
    Kind(
        "functions that share a nonlocal",
        "def counter():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n        return n\n    def get(): return n\n    return up, get\nup, get = counter()\nup()",
        "n = get()\nup()\nget() == n + 1",
    ),
    Kind(
        "a closure over a list that has a name",
        "data = []\ndef make(d):\n    return lambda v: d.append(v)\npush = make(data)",
        "push(1)\ndata[-1] == 1",
    ),
    Kind(
        "functions of a library's decorator under two names",
        "from contextlib import contextmanager\n@contextmanager\ndef cm(): yield 1\nx = {'cm': cm}\ny = [x['cm']]",
        "x['cm'] is cm is y[0]",
    ),
    Kind(
        "a recursive closure",
        "def make():\n    def fact(n): return 1 if n < 2 else n * fact(n - 1)\n    return fact\nx = make()",
        "x(5) == 120",
    ),
    Kind(
        "decorated functions",
        "import functools\ndef trace(f):\n    calls = []\n    @functools.wraps(f)\n    def w(*a): calls.append(a); return f(*a)\n    w.calls = calls\n    return w\n@trace\ndef f(a): return a + 1\nf(1)",
        "f(2) == 3 and f.calls[:2] == [(1,), (2,)] and f.__wrapped__(1) == 2 and f.__name__ == 'f'",
    ),
    Kind(
        "functions that call each other",
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)",
        "even(10) and not odd(10)",
    ),
    Kind(
        "partial",
        "from functools import partial\na = []\nx = partial(print, a, sep='')\ny = partial(int, base=2)",
        "x.args[0] is a and y('101') == 5",
    ),
    Kind(
        "partialmethod",
        "from functools import partialmethod\nclass C:\n    def f(self, a, b): return a, b\n    g = partialmethod(f, 1)\nx = C()",
        "x.g(2) == (1, 2)",
    ),
    Kind(
        "lru_cache",
        "from functools import lru_cache\n@lru_cache(maxsize=7)\ndef f(n): return n * 2",
        "f(2) == 4 and f.cache_parameters()['maxsize'] == 7",
    ),
    Kind(
        "lru_cache with contents",
        "from functools import cache\n@cache\ndef f(n): return [n]\nf(1)",
        "f(1) == [1]",
        lost=("what its cache held",),
    ),
    Kind(
        "a method with lru_cache",
        "from functools import lru_cache\nclass C:\n    @lru_cache\n    def f(self, n): return n + 1\nx = C()",
        "x.f(1) == 2 and type(x) is C",
    ),
    Kind(
        "singledispatch",
        "from functools import singledispatch\n@singledispatch\ndef f(v): return 'any'\n@f.register\ndef _f(v: int): return 'int'\n@f.register(list)\ndef _g(v): return 'list'",
        "(f(1), f([]), f('')) == ('int', 'list', 'any')",
    ),
    Kind(
        "singledispatchmethod",
        "from functools import singledispatchmethod\nclass C:\n    @singledispatchmethod\n    def f(self, v): return 'any'\n    @f.register\n    def _(self, v: int): return 'int'\nx = C()",
        "(x.f(1), x.f('')) == ('int', 'any')",
    ),
    Kind(
        "async and generator functions",
        "async def a(): return 1\ndef g(): yield 1\nasync def ag(): yield 1",
        "list(g()) == [1] and __import__('asyncio').run(a()) == 1 and __import__('inspect').isasyncgenfunction(ag)",
    ),
    Kind(
        "a function whose name is another's now",
        "def f(): return 1\nold = f\ndef f(): return 2",
        "old() == 1 and f() == 2",
    ),
    Kind(
        "a function with another function's code",
        "def f(): return 1\ndef g(): return 2\nf.__code__ = g.__code__",
        "f() == 2",
    ),
    Kind(
        "functions of a library, and changed in it",
        "import json\nx = [json.dumps, json.JSONEncoder]",
        "x[0] is json.dumps and x[1] is json.JSONEncoder",
    ),
    Kind("a generator", "x = (i for i in range(3))"),
    Kind("an object that holds a generator", "class C: pass\nx = C()\nx.rows = (i for i in 'ab')"),
    Kind("a coroutine", "async def f(): pass\nx = f()\nx.close()"),
    Kind("an async generator", "async def f(): yield 1\nx = f()"),
    Kind(
        "an iterator of a list",
        "d = [1, 2, 3]\nx = iter(d)\nnext(x)",
        "d.append(4)\nx.__reduce__()[1][0] is d and x.__length_hint__() >= 2",
    ),
    Kind("an iterator of a dict", "x = iter({'a': 1, 'b': 2})\nnext(x)"),
    Kind("an iterator of a set", "x = iter({1, 2})\nnext(x)"),
    Kind("an iterator of a range", "x = iter(range(5))\nnext(x)", "x.__length_hint__() == 4"),
    Kind("reversed", "x = reversed([1, 2, 3])\nnext(x)", "x.__length_hint__() == 2"),
    Kind("enumerate", "x = enumerate('abc')\nnext(x)", "x.__reduce__()[1][1] == 1"),
    Kind("zip, half consumed", "x = zip([1, 2], 'ab')\nnext(x)", "a = list(x)\na in ([(2, 'b')], [])"),
    Kind("map, half consumed", "x = map(lambda v: v * 2, [1, 2])\nnext(x)", "a = list(x)\na in ([4], [])"),
    Kind("filter", "x = filter(None, [0, 1, 2])", "a = list(x)\na in ([1, 2], [])"),
    Kind("a zip of a generator", "x = zip((i for i in 'ab'), 'cd')"),
    Kind("itertools.count", "import itertools\nx = itertools.count(5, 2)\nnext(x)", ""),
    Kind("itertools.cycle", "import itertools\nx = itertools.cycle('ab')\nnext(x)"),
    Kind("itertools.chain", "import itertools\nx = itertools.chain([1], [2, 3])\nnext(x)"),
    Kind("itertools.tee", "import itertools\nx, y = itertools.tee([1, 2])\nnext(x)"),
    Kind("itertools.groupby", "import itertools\nx = itertools.groupby('aab')\nnext(x)"),
    Kind("a reader of CSV", "import csv\nx = csv.reader(['a,b'])"),
    Kind(
        "an iterator of one's own",
        "class It:\n    def __init__(self): self.n = 0\n    def __iter__(self): return self\n    def __next__(self): self.n += 1; return self.n\nx = It()\nnext(x)",
        "x.n == 1",
    ),
)
