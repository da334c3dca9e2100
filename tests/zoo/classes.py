"""Classes that cells define, and what hangs on them."""

from __future__ import annotations

from .kinds import Kind

KINDS = (
    Kind(
        "a class and its instance",
        "class C:\n    n = 1\n    def __init__(self): self.v = []\nc = C()\nd = C()\nd.v = c.v",
        "type(c) is C is type(d) and c.v is d.v and C.n == 1",
    ),
    Kind(
        "a class changed later",
        "class C:\n    n = 1\nc = C()\nC.n = 2\nC.m = lambda self: self.n",
        "c.m() == C.n == 2",
    ),
    Kind(
        "a class without its name",
        "def make():\n    class Inner:\n        def hi(self): return 'hi'\n    return Inner()\nx = make()\ny = type(x)()",
        "type(x) is type(y) and x.hi() == 'hi'",
    ),
    Kind(
        "inheritance and super",
        "class A:\n    def f(self): return ['A']\nclass B(A):\n    def f(self): return ['B', *super().f()]\nclass C(A):\n    def f(self): return ['C', *super().f()]\nclass D(B, C): pass\nx = D()",
        "x.f() == ['B', 'C', 'A'] and D.__mro__[1:4] == (B, C, A)",
    ),
    Kind(
        "a subclass of list with attributes",
        "class L(list): pass\nx = L([1, 2])\nx.note = 'n'\nx.me = x",
        "type(x) is L and x == [1, 2] and x.note == 'n' and x.me is x",
    ),
    Kind(
        "a subclass of dict with attributes",
        "class D(dict):\n    def __init__(self, a): super().__init__(a=a); self.b = a\nx = D([1])",
        "type(x) is D and x['a'] is x.b",
    ),
    Kind(
        "a subclass of int",
        "class I(int):\n    pass\nx = I(5)\nx.unit = 'm'",
        "x == 5 and x.unit == 'm' and type(x) is I",
    ),
    Kind(
        "a subclass of str",
        "class S(str):\n    __slots__ = ()\n    def shout(self): return self.upper()\nx = S('a')",
        "x.shout() == 'A' and type(x) is S",
    ),
    Kind(
        "a subclass of tuple",
        "class T(tuple):\n    def __new__(cls, a, b): return super().__new__(cls, (a, b))\n    def __getnewargs__(self): return tuple(self)\nx = T(1, 2)\nx.n = 3",
        "x == (1, 2) and x.n == 3 and type(x) is T",
    ),
    Kind("a subclass of set", "class S(set): pass\nx = S({1, 2})\nx.k = 'v'", "x == {1, 2} and x.k == 'v'"),
    Kind("a subclass of float", "class F(float): pass\nx = F(1.5)\nx.k = 'v'", "x == 1.5 and x.k == 'v'"),
    Kind(
        "a subclass of datetime",
        "from datetime import datetime, timezone\nclass D(datetime):\n    def year2(self): return self.year % 100\nx = D(2024, 5, 6, tzinfo=timezone.utc)\nx.k = 1",
        "x.year2() == 24 and type(x) is D and x.k == 1",
    ),
    Kind(
        "slots",
        "class P:\n    __slots__ = ('x', 'y')\np = P()\np.x = [1]",
        "p.x == [1] and not hasattr(p, 'y') and not hasattr(p, '__dict__')",
    ),
    Kind(
        "slots that are inherited",
        "class A:\n    __slots__ = ('a',)\nclass B(A):\n    __slots__ = ('b', '__dict__', '__weakref__')\nx = B()\nx.a, x.b, x.c = 1, 2, 3",
        "(x.a, x.b, x.c) == (1, 2, 3)",
    ),
    Kind(
        "private slots",
        "class A:\n    __slots__ = ('__p',)\n    def __init__(self): self.__p = 5\n    def get(self): return self.__p\nx = A()",
        "x.get() == 5",
    ),
    Kind(
        "dataclass",
        "from dataclasses import dataclass, field, fields, replace\n@dataclass(order=True)\nclass D:\n    a: int\n    b: list = field(default_factory=list, repr=False)\nx = D(1)",
        "x == D(1) and fields(D)[1].default_factory is list and replace(x, a=3).a == 3 and x < D(2)",
    ),
    Kind(
        "frozen dataclass with slots",
        "from dataclasses import dataclass\n@dataclass(frozen=True, slots=True)\nclass D:\n    a: int\n    b: str = 'b'\nx = D(1)\ny = {x: 1}",
        "x.b == 'b' and y[D(1)] == 1 and type(x) is D",
    ),
    Kind(
        "dataclass with ClassVar, InitVar",
        "from dataclasses import *\nfrom typing import ClassVar\n@dataclass(kw_only=True)\nclass D:\n    count: ClassVar[list] = []\n    seed: InitVar[int] = 3\n    v: int = 0\n    def __post_init__(self, seed): self.v = seed; self.count.append(seed)\nx = D(seed=4)",
        "x.v == 4 and D.count[0] == 4 and [f.name for f in fields(D)] == ['v'] and x.count is D.count",
    ),
    Kind(
        "Enum",
        "from enum import Enum\nclass C(Enum):\n    A = 1\n    B = 'b'\n    ALIAS = 1\n    def low(self): return self.name.lower()\nx = C.A\ny = {C.B: 1}",
        "x is C.A is C(1) and C.ALIAS is C.A and list(C) == [C.A, C.B] and y[C.B] == 1 and x.low() == 'a' and type(x) is C",
    ),
    Kind(
        "IntEnum and StrEnum",
        "from enum import *\nclass I(IntEnum):\n    A = auto()\n    B = auto()\nclass S(StrEnum):\n    X = auto()\nx = [I.B, S.X]",
        "x[0] is I.B and x[0] == 2 and x[1] is S.X and x[1] == 'x'",
    ),
    Kind(
        "Flag",
        "from enum import Flag, auto\nclass F(Flag):\n    R = auto()\n    W = auto()\n    RW = R | W\nx = F.R\ny = F.R | F.W",
        "x is F.R and y is F.RW and F.R in y and ~F.R == F.W",
    ),
    Kind(
        "Enum with values of its own",
        "from enum import Enum\nclass P(Enum):\n    A = (1, 2)\n    B = (3, 4)\n    def __init__(self, m, r): self.m, self.r = m, r\nx = P.B",
        "x is P.B and x.r == 4 and P((1, 2)) is P.A",
    ),
    Kind(
        "Enum with __new__",
        "from enum import Enum\nclass P(bytes, Enum):\n    def __new__(cls, value, label):\n        self = bytes.__new__(cls, [value])\n        self._value_ = value\n        self.label = label\n        return self\n    A = (1, 'one')\nx = P.A",
        "",
    ),
    Kind(
        "property and cached_property",
        "from functools import cached_property\nclass C:\n    runs = 0\n    @property\n    def p(self): return 1\n    @p.setter\n    def p(self, v): self.q = v\n    @cached_property\n    def c(self):\n        C.runs += 1\n        return [3]\nx = C()\nkept = x.c\nx.p = 5",
        "x.c is kept and C.runs == 1 and x.p == 1 and x.q == 5",
    ),
    Kind(
        "classmethod and staticmethod",
        "class C:\n    @classmethod\n    def c(cls): return cls\n    @staticmethod\n    def s(): return 's'\nx = [C.c, C.s, C().c]",
        "x[0]() is C and x[1]() == 's' and x[2].__self__ is C",
    ),
    Kind(
        "bound methods",
        "class C:\n    def __init__(self): self.n = 0\n    def up(self): self.n += 1\nc = C()\nup = c.up",
        "n = c.n\nup()\nc.n == n + 1 and up.__self__ is c",
    ),
    Kind(
        "a metaclass",
        "class M(type):\n    made = []\n    def __new__(m, name, bases, ns, tag=None):\n        self = super().__new__(m, name, bases, ns)\n        self.tag = tag\n        return self\n    def __init__(self, *args, tag=None): super().__init__(*args)\n    def hi(cls): return cls.tag\nclass C(metaclass=M, tag='t'): pass\nx = C()",
        "type(C) is M and C.hi() == 't' and type(x) is C",
    ),
    Kind(
        "__init_subclass__",
        "class Base:\n    subs = []\n    def __init_subclass__(cls, **kw): Base.subs.append(cls.__name__)\nclass A(Base): pass\nclass B(Base): pass\nx = B()",
        "Base.subs == ['A', 'B'] and type(x) is B",
    ),
    Kind(
        "a registry of classes",
        "registry = {}\ndef register(c):\n    registry[c.__name__] = c\n    return c\n@register\nclass A: pass\n@register\nclass B(A): pass\nx = B()",
        "registry['A'] is A and registry['B'] is type(x) is B and issubclass(B, A)",
    ),
    Kind(
        "__set_name__",
        "class D:\n    def __set_name__(self, owner, name): self.name = name\n    def __get__(self, o, t=None): return self if o is None else o.__dict__[self.name]\n    def __set__(self, o, v): o.__dict__[self.name] = v * 2\nclass C:\n    x = D()\nc = C()\nc.x = 2",
        "c.x == 4 and C.x.name == 'x'",
    ),
    Kind(
        "abstract classes",
        "from abc import ABC, abstractmethod\nclass A(ABC):\n    @abstractmethod\n    def f(self): ...\nclass B(A):\n    def f(self): return 1\nA.register(int)\nx = B()",
        "isinstance(3, A) and x.f() == 1 and A.__abstractmethods__ == {'f'} and not B.__abstractmethods__",
    ),
    Kind(
        "Protocols",
        "from typing import Protocol, runtime_checkable\n@runtime_checkable\nclass P(Protocol):\n    def f(self) -> int: ...\nclass C:\n    def f(self): return 1\nx = C()",
        "isinstance(x, P) and not isinstance(3, P)",
    ),
    Kind(
        "TypedDict",
        "from typing import TypedDict\nclass T(TypedDict, total=False):\n    a: int\nx: T = {'a': 1}",
        "x == {'a': 1} and T.__annotations__ == {'a': int} and T.__total__ is False",
    ),
    Kind(
        "NewType",
        "from typing import NewType\nN = NewType('N', int)\nx = N(3)",
        "x == 3 and N.__supertype__ is int",
    ),
    Kind(
        "generic alias of one's own",
        "from typing import Generic, TypeVar\nK = TypeVar('K')\nV = TypeVar('V')\nclass M(Generic[K, V]): pass\nx = M[int, str]",
        "x.__origin__ is M and x.__args__ == (int, str)",
    ),
    Kind(
        "__reduce__ of one's own",
        "class R:\n    def __init__(self, a): self.a = a\n    def __reduce__(self): return R, (self.a,)\nx = R([1])",
        "x.a == [1] and type(x) is R",
    ),
    Kind(
        "__getstate__ of one's own",
        "class S:\n    def __init__(self): self.a = 1; self.lock = __import__('threading').Lock()\n    def __getstate__(self): return {'a': self.a}\n    def __setstate__(self, s): self.__init__(); self.a = s['a']\nx = S()\nx.a = 5",
        "x.a == 5 and x.lock.acquire(False) in (True, False)",
    ),
    Kind(
        "__getattr__ of one's own",
        "class Bag:\n    def __init__(self): self.data = {'k': 1}\n    def __getattr__(self, n):\n        if n.startswith('__'): raise AttributeError(n)\n        return self.__dict__.get('data', {})[n]\nx = Bag()",
        "x.k == 1",
    ),
    Kind(
        "__eq__ and __hash__ of one's own",
        "class K:\n    def __init__(self, k): self.k = k\n    def __hash__(self): return hash(self.k)\n    def __eq__(self, o): return self.k == o.k\nx = {K('a'): 1, K('b'): 2}\ny = {K('c')}",
        "x[K('a')] == 1 and K('c') in y",
    ),
    Kind(
        "objects that point at each other",
        "class Node:\n    def __init__(self, up=None): self.up, self.kids = up, []\nroot = Node()\nroot.kids = [Node(root), Node(root)]\nleaf = root.kids[1]",
        "leaf.up is root and root.kids[1] is leaf",
    ),
    Kind(
        "a set that holds its owner",
        "class N:\n    def __init__(self): self.all = {self}\nx = N()",
        "x in x.all",
    ),
    Kind(
        "a class with a mutable default",
        "class C:\n    shared = {}\na = C()\nb = C()\na.shared['k'] = 1",
        "a.shared is b.shared is C.shared and b.shared == {'k': 1}",
    ),
    Kind(
        "nested classes",
        "class A:\n    class B:\n        class C: v = 1\nx = A.B.C()",
        "type(x) is A.B.C and A.B.C.__qualname__ == 'A.B.C'",
    ),
    Kind(
        "a class decorated by total_ordering",
        "from functools import total_ordering\n@total_ordering\nclass V:\n    def __init__(self, n): self.n = n\n    def __eq__(self, o): return self.n == o.n\n    def __lt__(self, o): return self.n < o.n\nx = V(1)",
        "x <= V(1) and V(2) > x",
    ),
    Kind(
        "a context manager",
        "from contextlib import contextmanager\nlog = []\n@contextmanager\ndef cm(): log.append(1); yield 5; log.append(2)",
        "with cm() as v: pass\nv == 5 and log[-2:] == [1, 2]",
    ),
    Kind(
        "an entered context manager",
        "from contextlib import contextmanager\n@contextmanager\ndef cm(): yield 5\nx = cm()\nx.__enter__()",
    ),
    Kind(
        "an ExitStack that holds something",
        "from contextlib import ExitStack\nlog = []\nx = ExitStack()\nx.callback(log.append, 1)",
        "x._exit_callbacks and log == []",
    ),
    Kind(
        "an instance whose class was defined again",
        "class C:\n    def v(self): return 1\nold = C()\nclass C:\n    def v(self): return 2\nnew = C()",
        "old.v() == 1 and new.v() == 2 and type(new) is C and type(old) is not C",
    ),
    Kind(
        "an instance with a new class",
        "class A: pass\nclass B:\n    def f(self): return 'B'\nx = A()\nx.__class__ = B",
        "x.f() == 'B' and type(x) is B",
    ),
    Kind("a weak reference", "import weakref\nclass C: pass\nc = C()\nx = weakref.ref(c)"),
    Kind(
        "WeakValueDictionary", "import weakref\nclass C: pass\nc = C()\nx = weakref.WeakValueDictionary(k=c)"
    ),
    Kind(
        "WeakKeyDictionary", "import weakref\nclass C: pass\nc = C()\nx = weakref.WeakKeyDictionary({c: 1})"
    ),
    Kind(
        "WeakSet",
        "import weakref\nclass C: pass\nc = C()\nx = weakref.WeakSet([c])",
        "list(x) == [c] and x.pop() is c if len(x) else True",
    ),
    Kind("a weak proxy", "import weakref\nclass C:\n    n = 1\nc = C()\nx = weakref.proxy(c)"),
    Kind("a finalizer", "import weakref\nclass C: pass\nc = C()\nx = weakref.finalize(c, print)"),
)
