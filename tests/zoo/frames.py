"""Tables: pandas, polars, Arrow."""

from __future__ import annotations

from .kinds import Kind

_P = "pandas"
_MAKE = "import pandas as pd, numpy as np\ndf = pd.DataFrame({'a': [1, 2, 3], 'b': ['x', None, 'z'], 'c': [0.5, np.nan, 2]})\n"
KINDS = (
    Kind(
        "a frame",
        _MAKE + "df.attrs['source'] = 'here'",
        "df.shape == (3, 3) and df.b[0] == 'x' and df.isna().sum().tolist() == [0, 1, 1] and df.attrs == {'source': 'here'} and df.dtypes['a'] == 'int64'",
        _P,
    ),
    Kind(
        "a frame and its column",
        _MAKE + "s = df['a']\ntop = df.iloc[:2]\nt = df[['a', 'c']].T\nold = s.tolist()",
        "df.loc[0, 'a'] = 50\ns.tolist() == old == [1, 2, 3] and top.a.tolist() == [1, 2] and t.iloc[0, 0] == 1",
        _P,
    ),
    Kind("a frame under two names", _MAKE + "other = df\nd = {'df': df}", "other is df is d['df']", _P),
    Kind(
        "a frame over a large array",
        "import pandas as pd, numpy as np\na = np.zeros((2000, 4))\ndf = pd.DataFrame(a)\ns = df[0]",
        "df.iloc[0, 0] = 5\na[0, 0] == 0 and s[0] == 0",
        _P,
    ),
    Kind(
        "a frame over an array, not copied",
        "import pandas as pd, numpy as np\na = np.zeros((2000, 4))\ndf = pd.DataFrame(a, copy=False)\nv = df.to_numpy()",
        "df.shape == (2000, 4) and v.shape == (2000, 4)",
        _P,
    ),
    Kind(
        "a series",
        "import pandas as pd\nx = pd.Series([1.5, None], index=['p', 'q'], name='n')",
        "x.name == 'n' and x['p'] == 1.5 and list(x.index) == ['p', 'q']",
        _P,
    ),
    Kind(
        "categoricals",
        "import pandas as pd\nx = pd.Series(pd.Categorical(['a', 'b', None], categories=['b', 'a'], ordered=True))",
        "x.cat.ordered and list(x.cat.categories) == ['b', 'a'] and x.max() == 'a'",
        _P,
    ),
    Kind(
        "a MultiIndex",
        "import pandas as pd\nx = pd.MultiIndex.from_product([['a', 'b'], [1, 2]], names=['l', 'n'])\ns = pd.Series(range(4), index=x)",
        "x.names == ['l', 'n'] and s['b', 2] == 3 and s.index.equals(x)",
        _P,
    ),
    Kind(
        "indexes",
        "import pandas as pd\nx = [pd.RangeIndex(3), pd.date_range('2024', periods=3, tz='UTC'), pd.period_range('2024-01', periods=2, freq='M'), pd.interval_range(0, 2), pd.timedelta_range('1h', periods=2), pd.CategoricalIndex(['a'])]",
        "x[1].freq == 'D' and str(x[1].tz) == 'UTC' and x[2].freqstr == 'M' and x[3][0].right == 1 and type(x[0]) is pd.RangeIndex",
        _P,
    ),
    Kind(
        "extension types",
        "import pandas as pd\nx = pd.DataFrame({'i': pd.array([1, None], 'Int64'), 'b': pd.array([True, None], 'boolean'), 's': pd.array(['a', None], 'string')})",
        "str(x.dtypes['i']) == 'Int64' and x.i[1] is pd.NA and str(x.dtypes['s']) == 'string' and x.b[0] == True",
        _P,
    ),
    Kind(
        "Arrow types in pandas",
        "import pyarrow, pandas as pd\nx = pd.Series(['a', None], dtype='string[pyarrow]')\ny = pd.Series([1, 2], dtype='int64[pyarrow]')",
        "x.dtype == 'string[pyarrow]' and y.sum() == 3",
        "pyarrow",
    ),
    Kind(
        "Timestamps and offsets",
        "import pandas as pd\nx = [pd.Timestamp('2024-01-01', tz='Europe/Berlin'), pd.Timedelta('3h'), pd.NaT, pd.NA, pd.offsets.MonthEnd(2), pd.Interval(0, 1)]",
        "x[0].tz.key == 'Europe/Berlin' and x[2] is pd.NaT and x[3] is pd.NA and x[4].n == 2",
        _P,
    ),
    Kind("a groupby", _MAKE + "g = df.groupby('a')", "g.size().sum() == 3 and g.ngroups == 3", _P),
    Kind("a rolling window", _MAKE + "r = df['a'].rolling(2)", "r.sum().iloc[-1] >= 5", _P),
    Kind(
        "a sparse series",
        "import pandas as pd\nx = pd.Series(pd.arrays.SparseArray([0, 0, 1]))",
        "x.sparse.density < 0.5 and x[2] == 1",
        _P,
    ),
    Kind("a styler", _MAKE + "x = df.style.highlight_max(subset=['a'])", "'table' in x.to_html()", "jinja2"),
    Kind(
        "a frame's subclass",
        "import pandas as pd\nclass F(pd.DataFrame):\n    _metadata = ['unit']\n    @property\n    def _constructor(self): return F\nx = F({'a': [1]})\nx.unit = 'm'",
        "type(x) is F and x.unit == 'm' and type(x[['a']]) is F",
        _P,
    ),
    Kind(
        "a frame with objects",
        "import pandas as pd\nl = [1]\nx = pd.DataFrame({'o': [l, {}, None]}, dtype=object)",
        "x.o[0] is l",
        _P,
    ),
    Kind(
        "a polars frame",
        "import polars as pl\nx = pl.DataFrame({'a': [1, None], 'b': ['x', 'y'], 'd': [[1], [2, 3]]})",
        "x.shape == (2, 3) and x['a'].null_count() == 1 and x['d'].to_list() == [[1], [2, 3]]",
        "polars",
    ),
    Kind(
        "polars series and expressions",
        "import polars as pl\nx = pl.Series('n', ['a', 'b'], dtype=pl.Categorical)\ne = pl.col('a') + 1",
        "x.name == 'n' and x.to_list() == ['a', 'b'] and pl.DataFrame({'a': [1]}).select(e).item() == 2",
        "polars",
    ),
    Kind(
        "a lazy polars frame",
        "import polars as pl\nx = pl.DataFrame({'a': [1, 2]}).lazy().filter(pl.col('a') > 1)",
        "x.collect().to_dicts() == [{'a': 2}]",
        "polars",
    ),
    Kind(
        "an Arrow table",
        "import pyarrow as pa\nx = pa.table({'a': [1, None], 's': ['x', 'y']})\ny = pa.schema([('k', pa.int8())], metadata={'m': '1'})",
        "x.to_pydict() == {'a': [1, None], 's': ['x', 'y']} and y.metadata == {b'm': b'1'}",
        "pyarrow",
    ),
    Kind(
        "Arrow arrays",
        "import pyarrow as pa\nx = pa.array([[1], None])\ny = pa.chunked_array([[1], [2]])\nz = pa.scalar(3)",
        "x.to_pylist() == [[1], None] and y.num_chunks == 2 and z.as_py() == 3",
        "pyarrow",
    ),
    Kind(
        "a slice of a large Arrow array",
        "import pyarrow as pa\nx = pa.array(range(100_000)).slice(5, 3)",
        "x.to_pylist() == [5, 6, 7]",
        "pyarrow",
    ),
    Kind("an Arrow buffer reader", "import pyarrow as pa\nx = pa.BufferReader(b'abc')", "", "pyarrow"),
)
