"""Tables and arrays."""

NOTEBOOKS = {
    "sales": """
import pandas as pd, numpy as np
rng = np.random.default_rng(1)
df = pd.DataFrame({"shop": rng.choice(list("abc"), 50),
    "day": pd.date_range("2024", periods=50), "sold": rng.integers(0, 9, 50)})
# %%
by_shop = df.groupby("shop")["sold"].sum()
by_shop
# %%
df["weekday"] = df["day"].dt.day_name()
df.loc[df.sold > 5, "sold"] = 5
# %%
pivot = df.pivot_table(index="weekday", columns="shop", values="sold", aggfunc="sum", fill_value=0)
print(pivot.to_string())
# %%
by_shop.equals(df.groupby("shop")["sold"].sum()), df.sold.sum(), rng.integers(100)
""",
    "cleaning": """
import pandas as pd
raw = pd.DataFrame({"name": [" Ann", "bob ", None, "Cy"], "age": ["3", "x", "7", None]})
df = raw
# %%
clean = df.copy()
clean["name"] = clean["name"].str.strip().str.title()
# %%
clean["age"] = pd.to_numeric(clean["age"], errors="coerce").astype("Int64")
clean.dropna(subset=["name"], inplace=True)
# %%
df is raw, len(raw), clean.to_dict("list")
# %%
raw["seen"] = True
print(list(df.columns), list(clean.columns))
""",
    "joins": """
import pandas as pd
left = pd.DataFrame({"k": [1, 2, 3], "a": list("xyz")}).set_index("k")
right = pd.DataFrame({"k": [2, 3, 4], "b": [0.2, 0.3, 0.4]}).set_index("k")
# %%
both = left.join(right, how="outer")
tables = {"left": left, "right": right, "both": both}
# %%
tables["left"].loc[9] = "new"
# %%
print(left.tail(1)); print(both)
# %%
{name: t.shape for name, t in tables.items()}, tables["both"] is both
""",
    "time series": """
import pandas as pd, numpy as np
np.random.seed(7)
s = pd.Series(np.random.rand(96), index=pd.date_range("2024-03-30", periods=96, freq="h", tz="Europe/Berlin"))
# %%
daily = s.resample("D").mean().round(4)
daily
# %%
noise = np.random.rand(3).round(6)
noise
# %%
roll = s.rolling("6h")
roll.max().iloc[-1].round(4), s.index.freq
# %%
s.iloc[:5] = 0
np.random.rand(), roll.min().iloc[3].round(4)
""",
    "views of an array": """
import numpy as np
grid = np.zeros((6, 6)); inner = grid[1:-1, 1:-1]; flat = grid.ravel()
# %%
inner[:] = 1
# %%
flat[0] = 5; edge = grid[:, 0]
# %%
edge += 2
grid.sum(), inner.sum(), flat[:3]
# %%
grid[2, 2] = 100
inner[1, 1], flat[14], np.shares_memory(grid, edge)
""",
    "copy on write": """
import pandas as pd
df = pd.DataFrame({"a": range(1000), "b": 1.0}); part = df[["a"]]; col = df["b"]
# %%
df.iloc[0, 0] = -1; shallow = df.copy(deep=False)
# %%
shallow.loc[1, "b"] = 9
# %%
df.loc[2, "b"] = 7
part.a[0], col[1], col[2], shallow.b[2], df.b[1]
# %%
values = df["a"].to_numpy(); values.flags.writeable, values[0]
""",
    "structured arrays": """
import numpy as np
a = np.zeros(4, dtype=[("id", "i4"), ("name", "U8"), ("xy", "f8", 2)])
names = a["name"]
# %%
names[:] = ["n%d" % i for i in range(4)]
# %%
a["xy"][1] = (3, 4); rec = a.view(np.recarray)
# %%
rec.id[2] = 77
a.tolist()
# %%
sorted(a["name"].tolist(), reverse=True), names is a["name"]
""",
    "categories": """
import pandas as pd
s = pd.Series(["lo", "hi", "mid", "lo"], dtype=pd.CategoricalDtype(["lo", "mid", "hi"], ordered=True))
# %%
counts = s.value_counts(sort=False); s.cat.codes.tolist()
# %%
s = s.cat.rename_categories(str.upper); codes = s.cat.codes
# %%
s.max(), s.min(), (s > "LO").tolist()
# %%
counts.index.ordered, counts.to_dict(), codes.sum()
""",
    "polars": """
import polars as pl
df = pl.DataFrame({"g": ["a", "b", "a"], "v": [1, 2, 3]}); lazy = df.lazy()
# %%
agg = lazy.group_by("g").agg(pl.col("v").sum()).sort("g")
# %%
out = agg.collect(); out.to_dicts()
# %%
df = df.with_columns((pl.col("v") * 2).alias("w")); expr = pl.col("w") - 1
# %%
df.select(expr).to_series().to_list(), out["v"].sum()
""",
    "a list of frames": """
import pandas as pd
frames = []
def load(i):
    frames.append(pd.DataFrame({"i": [i] * 3, "v": [i, i + 1, i + 2]}))
    return frames[-1]
# %%
first = load(0); load(1)
# %%
first["v"] *= 10; last = load(5)
# %%
whole = pd.concat(frames, ignore_index=True); whole.v.tolist()
# %%
frames[0] is first, frames[-1] is last, [len(f) for f in frames], whole.v.sum()
""",
}
