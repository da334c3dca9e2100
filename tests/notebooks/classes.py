"""Classes, and objects that hang together."""

NOTEBOOKS = {
    "accounts": """
class Account:
    rate = 0.1
    made = []
    def __init__(self, who): self.who, self.sum = who, 0; Account.made.append(self)
    def pay(self, n): self.sum += n; return self
    def interest(self): return round(self.sum * self.rate, 2)
# %%
a = Account("a").pay(10); b = Account("b")
# %%
Account.rate = 0.5; b.pay(4)
# %%
a.interest(), b.interest(), Account.made[0] is a, len(Account.made)
# %%
c = Account("c"); [x.who for x in a.made], type(c) is type(a) is Account
""",
    "a class defined again": """
class Shape:
    def area(self): return 1
old = Shape()
# %%
class Shape:
    def area(self): return 2
new = Shape()
# %%
old.area(), new.area(), isinstance(old, Shape)
# %%
old.__class__ = Shape
# %%
old.area(), type(old) is type(new)
""",
    "dataclasses": """
from dataclasses import dataclass, field, asdict, replace
@dataclass(order=True)
class Item:
    n: int
    tags: list = field(default_factory=list, compare=False)
@dataclass(frozen=True, slots=True)
class Point:
    x: int; y: int = 0
# %%
shared = ["t"]; items = [Item(2, shared), Item(1, shared)]; where = {Point(1): items[0]}
# %%
shared.append("u"); items.sort()
# %%
[asdict(i) for i in items], where[Point(1)] is items[1], items[0].tags is shared
# %%
replace(items[0], n=9), Point(1) in where, where[Point(1, 0)].n
""",
    "enums": """
from enum import Enum, Flag, auto
class Color(Enum):
    RED = 1; GREEN = 2
    def __init__(self, n): self.nick = "rg"[n - 1]
class Perm(Flag):
    R = auto(); W = auto()
# %%
use = {Color.RED: Perm.R, Color.GREEN: Perm.R | Perm.W}
# %%
use[Color(2)], Color["RED"].nick
# %%
Color.RED in use, [c for c in use], use[Color.GREEN] & Perm.W is Perm.W, list(use)[0] is Color.RED
""",
    "a tree": """
class Node:
    __slots__ = ("value", "up", "kids", "__weakref__")
    def __init__(self, value, up=None):
        self.value, self.up, self.kids = value, up, []
        if up: up.kids.append(self)
    def path(self): return (self.up.path() if self.up else "") + "/" + self.value
root = Node("r")
# %%
usr = Node("usr", root); lib = Node("lib", usr)
# %%
lib.value = "LIB"; leaf = Node("x", lib)
# %%
leaf.path(), root.kids[0] is usr, leaf.up is lib
# %%
usr.value = "USR"; leaf.path(), hasattr(root, "__dict__")
""",
    "inheritance": """
from abc import ABC, abstractmethod
class Base(ABC):
    registry = {}
    def __init_subclass__(cls, key=None, **k): super().__init_subclass__(**k); Base.registry[key] = cls
    @abstractmethod
    def run(self): ...
class A(Base, key="a"):
    def run(self): return "A"
# %%
class B(A, key="b"):
    def run(self): return super().run() + "B"
# %%
made = {k: c() for k, c in Base.registry.items()}
# %%
[m.run() for m in made.values()], Base.registry["b"] is B, list(Base.registry)
# %%
isinstance(made["b"], A), type(made["a"]) is A
""",
    "descriptors": """
from functools import cached_property
class Typed:
    def __set_name__(self, o, n): self.n = n
    def __get__(self, o, t=None): return self if o is None else o.__dict__[self.n]
    def __set__(self, o, v): o.__dict__[self.n] = int(v)
class Box:
    size = Typed()
    loads = 0
    @cached_property
    def data(self): Box.loads += 1; return list(range(self.size))
box = Box(); box.size = "3"
# %%
d = box.data
# %%
d.append(99); box.data is d, Box.loads
# %%
box.size, Box.size.n, box.data, Box.loads
""",
    "aliases everywhere": """
a = []; b = [a, a]; c = {"b": b, "a": a}; t = (a, (b,))
# %%
a.append(1)
# %%
b.append(c)
# %%
c["a"].append(2); t[0], len(b), b[2] is c, t[1][0] is b
# %%
a = list(a); a.append(3); b[0], a, c["a"] is b[0], c["a"] is a
""",
    "game of life": """
import numpy as np
class Life:
    def __init__(self, n): self.grid = np.zeros((n, n), int); self.age = 0
    def step(self):
        g = self.grid
        n = sum(np.roll(g, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
        self.grid = ((n == 3) | ((g == 1) & (n == 2))).astype(int); self.age += 1
life = Life(8); world = life.grid; world[1, 2] = world[2, 3] = world[3, 1:4] = 1
# %%
life.step(); life.grid.sum(), world is life.grid
# %%
for _ in range(5): life.step()
# %%
frames = [life.grid.copy()]; life.step(); frames.append(life.grid)
# %%
frames[-1] is life.grid, np.argwhere(life.grid).tolist(), life.age
""",
    "a little language": """
import ast, operator
ops = {ast.Add: operator.add, ast.Mult: operator.mul}
class Eval(ast.NodeVisitor):
    def __init__(self, names): self.names = names
    def visit_BinOp(self, n): return ops[type(n.op)](self.visit(n.left), self.visit(n.right))
    def visit_Constant(self, n): return n.value
    def visit_Name(self, n): return self.names[n.id]
names = {"x": 3}; ev = Eval(names)
# %%
tree = ast.parse("x * 2 + 1", mode="eval").body; ev.visit(tree)
# %%
names["x"] = 10; ops[ast.Sub] = operator.sub
# %%
ev.visit(tree), ev.names is names, ev.visit(ast.parse("x - 1", mode="eval").body)
""",
    "deleting": """
big = list(range(1000)); part = big[10:20]; d = {"big": big}
# %%
del big
# %%
d["big"].append("end"); big2 = d["big"]
# %%
"big" in globals(), len(big2), part
# %%
d.clear(); len(big2), d
""",
}
