"""Plain values and containers of the standard library, and how they hang together."""

from __future__ import annotations

from .kinds import Kind

KINDS = (
    Kind(
        "numbers",
        "x = [1, -2**80, 0.1, float('inf'), 3+4j, True, None, ...]",
        "x == [1, -2**80, 0.1, float('inf'), 3+4j, True, None, ...] and type(x[5]) is bool",
    ),
    Kind("nan", "nan = float('nan')\nx = [nan, nan]", "x[0] != x[0] and x[1] != x[1]"),
    Kind(
        "text",
        "x = ['', 'a', 'ä', '\\ud800', 'x' * 10000, b'', b'\\0\\xff', bytearray(b'ab')]",
        "x[:4] == ['', 'a', 'ä', '\\ud800'] and x[5:] == [b'', b'\\0\\xff', bytearray(b'ab')] and type(x[7]) is bytearray",
    ),
    Kind("a large text", "x = 'ö' * 1_000_000", "len(x) == 1_000_000 and set(x) == {'ö'}"),
    Kind("a bytearray shared", "x = bytearray(10000)\ny = [x]", "y[0] is x"),
    Kind(
        "nested containers",
        "x = {'a': [1, (2, {3}), frozenset({4})], (1, 2): {}}",
        "x == {'a': [1, (2, {3}), frozenset({4})], (1, 2): {}}",
    ),
    Kind("a dict's order", "x = {3: 1, 1: 2, 2: 3}\ndel x[3]\nx[3] = 4", "list(x) == [1, 2, 3]"),
    Kind("a list in itself", "x = [1]\nx.append(x)", "x[1] is x and len(x) == 2"),
    Kind("a dict in itself", "x = {}\nx['x'] = x\ny = x", "x['x'] is x is y"),
    Kind("a tuple in its list", "x = []\ny = (x,)\nx.append(y)", "x[0] is y and y[0] is x"),
    Kind(
        "two names, one object",
        "a = [1]\nb = a\nc = {'a': a}\nd = (a, [a])",
        "a.append(2)\na is b is c['a'] is d[0] is d[1][0] and b == [1, *[2] * (len(a) - 1)]",
    ),
    Kind("equal, but not the same", "a = [1]\nb = [1]", "a == b and a is not b"),
    Kind(
        "deque",
        "from collections import deque\nx = deque([1, 2, 3], maxlen=3)",
        "x.maxlen == 3 and list(x) == [1, 2, 3]",
    ),
    Kind(
        "Counter",
        "from collections import Counter\nx = Counter('abca')",
        "type(x) is Counter and x['a'] == 2 and x['z'] == 0",
    ),
    Kind(
        "defaultdict",
        "from collections import defaultdict\nx = defaultdict(list)\nx['a'].append(1)",
        "x == {'a': [1]} and x.default_factory is list",
    ),
    Kind(
        "defaultdict of a lambda",
        "from collections import defaultdict\nk = 7\nx = defaultdict(lambda: defaultdict(lambda: k))\nx['a']['b']",
        "x['a']['b'] == k == 7 and x.default_factory().default_factory() == 7",
    ),
    Kind(
        "OrderedDict",
        "from collections import OrderedDict\nx = OrderedDict(b=1, a=2)\nx.move_to_end('b')",
        "list(x) == ['a', 'b'] and type(x) is OrderedDict",
    ),
    Kind(
        "ChainMap",
        "from collections import ChainMap\na = {'x': 1}\nc = ChainMap(a, {'y': 2})",
        "c.maps[0] is a and c['y'] == 2",
    ),
    Kind(
        "UserDict",
        "from collections import UserDict\nclass D(UserDict):\n    def __missing__(self, key): return key * 2\nx = D(a=1)",
        "x['a'] == 1 and x['bb'] == 'bbbb' and type(x) is D",
    ),
    Kind(
        "views of a dict", "d = {'a': 1}\nx = d.keys()", "n = len(x)\nd['b'] = 1\nlen(x) == n + 1 or n == 2"
    ),
    Kind("values of a dict", "d = {'a': 1}\nx = [d.values()]", "d['a'] = 5\nlist(x[0]) == [5]"),
    Kind("items of a dict", "d = {'a': 1}\nx = d.items()", "d['a'] = 5\nlist(x) == [('a', 5)]"),
    Kind(
        "mappingproxy",
        "from types import MappingProxyType\nd = {'a': 1}\nx = MappingProxyType(d)",
        "d['b'] = 2\nx['a'] == 1 and x['b'] == 2 and type(x) is MappingProxyType",
    ),
    Kind(
        "SimpleNamespace",
        "from types import SimpleNamespace\nx = SimpleNamespace(a=1, b=[2])\nx.self = x",
        "x.self is x and x.b == [2]",
    ),
    Kind(
        "range and slice",
        "x = [range(1, 10, 3), slice(1, None, 2)]",
        "x == [range(1, 10, 3), slice(1, None, 2)]",
    ),
    Kind(
        "memoryview",
        "b = bytearray(b'abcdef')\nx = memoryview(b)",
        "x[0] = 65\nb[0] == 65 and type(x) is memoryview",
    ),
    Kind("memoryview of a part", "b = bytearray(b'abcdef')\nx = memoryview(b)[2:4]"),
    Kind(
        "array.array",
        "import array\nx = array.array('d', [1.5, 2.5])",
        "x.typecode == 'd' and list(x) == [1.5, 2.5]",
    ),
    Kind(
        "Decimal and Fraction",
        "from decimal import Decimal\nfrom fractions import Fraction\nx = [Decimal('1.10'), Fraction(1, 3), Decimal('NaN')]",
        "str(x[0]) == '1.10' and x[1] == Fraction(1, 3) and x[2].is_nan()",
    ),
    Kind(
        "datetimes",
        "from datetime import *\nfrom zoneinfo import ZoneInfo\nx = [datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo('Europe/Berlin')), date(2024, 1, 2), time(3, 4), timedelta(1, 2, 3), timezone(timedelta(hours=2), 'x'), datetime.now(timezone.utc).replace(year=2000)]",
        "x[0].fold == 1 and x[0].tzinfo is ZoneInfo('Europe/Berlin') and x[0].utcoffset() == timedelta(hours=1) and x[4].tzname(None) == 'x' and x[5].tzinfo is timezone.utc",
    ),
    Kind("UUID", "import uuid\nx = uuid.UUID(int=5)", "x == uuid.UUID(int=5)"),
    Kind(
        "Path",
        "from pathlib import Path, PureWindowsPath\nx = [Path('a/b'), PureWindowsPath('c:\\\\d')]",
        "x == [Path('a/b'), PureWindowsPath('c:\\\\d')]",
    ),
    Kind(
        "ipaddress",
        "import ipaddress\nx = [ipaddress.ip_address('::1'), ipaddress.ip_network('10.0.0.0/8')]",
        "str(x[0]) == '::1' and x[1].num_addresses == 2**24",
    ),
    Kind(
        "re patterns",
        "import re\nx = re.compile('a(b)?', re.I | re.X)\ny = x",
        "x is y and x.flags & re.I and x.match('AB')[1] == 'B'",
    ),
    Kind("a match", "import re\nx = re.match('a', 'abc')"),
    Kind(
        "namedtuple",
        "from collections import namedtuple\nP = namedtuple('P', 'x y', defaults=[0])\np = P(1)",
        "type(p) is P and p == (1, 0) and p._replace(y=3).y == 3",
    ),
    Kind(
        "NamedTuple",
        "from typing import NamedTuple\nclass P(NamedTuple):\n    x: int\n    y: int = 2\n    def sum(self): return self.x + self.y\np = P(1)",
        "type(p) is P and p.sum() == 3 and P.__annotations__['x'] is int",
    ),
    Kind(
        "exceptions",
        "class E(ValueError):\n    def __init__(self, a, b):\n        super().__init__(f'{a}-{b}')\n        self.a = a\nx = E(1, 2)\nx.add_note('n')",
        "type(x) is E and str(x) == '1-2' and x.a == 1 and x.__notes__ == ['n']",
    ),
    Kind(
        "an exception with its cause",
        "try:\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise ValueError('v') from e\nexcept ValueError as e:\n    x = e",
        "type(x.__cause__) is ZeroDivisionError and x.__suppress_context__",
        lost=("its traceback",),
    ),
    Kind(
        "exception groups",
        "x = ExceptionGroup('g', [ValueError(1), KeyError('k')])",
        "x.message == 'g' and [type(e) for e in x.exceptions] == [ValueError, KeyError]",
    ),
    Kind("a traceback", "import sys\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    x = sys.exc_info()[2]"),
    Kind("a frame", "import sys\nx = sys._getframe()"),
    Kind(
        "TextIO in memory",
        "import io\nx = io.StringIO('a\\nb')\nx.readline()",
        "x.read() in ('b', '') and x.getvalue() == 'a\\nb'",
    ),
    Kind(
        "BytesIO", "import io\nx = io.BytesIO(b'abc')\nx.read(1)", "x.tell() == 1 and x.getvalue() == b'abc'"
    ),
    Kind(
        "random.Random",
        "import random\nx = random.Random(3)\nx.random()\nseen = x.getstate()",
        "x.getstate() == seen",
    ),
    Kind(
        "struct and string",
        "import struct, string\nx = string.Template('$a')\ns = struct.calcsize('i')",
        "x.substitute(a=1) == '1'",
    ),
    Kind("a struct", "import struct\nx = struct.Struct('<if')"),
    Kind(
        "sentinels",
        "missing = object()\nx = [missing]\ndef f(v=missing): return v is missing",
        "x[0] is missing and f() and f(missing)",
    ),
    Kind("a module", "import json, os.path\nx = [json, os.path]", "x[0] is json and x[1] is os.path"),
    Kind(
        "a module of the notebook's own",
        "import types\nx = types.ModuleType('own')\nexec('k = 1\\ndef f(): return k', x.__dict__)",
        "",
    ),
    Kind(
        "functions of builtins",
        "x = [len, print, str.upper, [].append.__class__, dict.fromkeys, int.__add__]",
        "x[0] is len and x[2]('a') == 'A' and x[4]('a') == {'a': None} and x[5](1, 2) == 3",
    ),
    Kind("a method of a list", "x = [1]\npush = x.append", "push(2)\nx[-1] == 2"),
    Kind(
        "operator's getters",
        "import operator as o\nx = [o.itemgetter(1), o.attrgetter('real'), o.methodcaller('upper')]",
        "x[0]('ab') == 'b' and x[1](3) == 3 and x[2]('a') == 'A'",
    ),
    Kind(
        "AST nodes",
        "import ast\nx = ast.parse('a + 1')",
        "ast.unparse(x) == 'a + 1' and x.body[0].lineno == 1",
    ),
    Kind(
        "code objects",
        "x = compile('y = 3', 'f.py', 'exec')",
        "d = {}\nexec(x, d)\nd['y'] == 3 and x.co_filename == 'f.py'",
    ),
    Kind(
        "types",
        "import types, typing\nx = [int, type(None), types.FunctionType, list[int], int | None, typing.Optional[str], typing.Callable[[int], str], typing.Literal['a'], type(...)]",
        "x == [int, type(None), types.FunctionType, list[int], int | None, typing.Optional[str], typing.Callable[[int], str], typing.Literal['a'], type(...)]",
    ),
    Kind(
        "TypeVar",
        "from typing import TypeVar, Generic\nT = TypeVar('T', bound=int)\nclass Box(Generic[T]):\n    def __init__(self, v: T): self.v = v\nx = Box[bool](True)",
        "Box.__parameters__ == (T,) and T.__bound__ is int and type(x) is Box and x.__orig_class__ == Box[bool]",
    ),
    Kind("logging.Logger", "import logging\nx = logging.getLogger('a.b')", "x is logging.getLogger('a.b')"),
    Kind(
        "a logger with a handler",
        "import logging, io\nx = logging.getLogger('with.handler')\nx.addHandler(logging.StreamHandler(io.StringIO()))",
    ),
    Kind(
        "email message",
        "from email.message import EmailMessage\nx = EmailMessage()\nx['To'] = 'a@b'\nx.set_content('hi')",
        "x['To'] == 'a@b' and x.get_content() == 'hi\\n'",
    ),
    Kind(
        "XML elements",
        "import xml.etree.ElementTree as E\nx = E.fromstring('<a b=\"1\"><c/>t</a>')",
        "E.tostring(x) == b'<a b=\"1\"><c />t</a>'",
    ),
    Kind(
        "Graph of topological sort",
        "from graphlib import TopologicalSorter\nx = TopologicalSorter({'b': {'a'}})",
        "list(x.static_order()) == ['a', 'b'] if not hasattr(x, 'done_') else True",
    ),
)
