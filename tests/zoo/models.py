"""Models, pictures, figures, formulas, graphs."""

from __future__ import annotations

from .kinds import Kind

_S = "sklearn"
_DATA = "import numpy as np\nrng = np.random.default_rng(0)\nX = rng.normal(size=(40, 3))\ny = (X[:, 0] > 0).astype(int)\n"
_SAME = "np.array_equal(m.predict(X), seen)"


def _fitted(module: str, name: str, arguments: str = "") -> Kind:
    cell = (
        f"{_DATA}from sklearn.{module} import {name}\nm = {name}({arguments}).fit(X, y)\nseen = m.predict(X)"
    )
    return Kind(f"sklearn's {name}", cell, f"{_SAME} and type(m) is {name}", _S)


KINDS = (
    _fitted("linear_model", "LinearRegression"),
    _fitted("linear_model", "LogisticRegression"),
    _fitted("ensemble", "RandomForestClassifier", "n_estimators=5, random_state=0"),
    _fitted("ensemble", "HistGradientBoostingClassifier", "max_iter=3"),
    _fitted("neighbors", "KNeighborsClassifier"),
    _fitted("svm", "SVC"),
    _fitted("naive_bayes", "GaussianNB"),
    _fitted("neural_network", "MLPClassifier", "max_iter=500, tol=0.1, n_iter_no_change=1"),
    _fitted("gaussian_process", "GaussianProcessClassifier"),
    _fitted("cluster", "KMeans", "2, n_init=1, random_state=0"),
    Kind(
        "sklearn's pipeline",
        _DATA
        + "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import *\nfrom sklearn.tree import DecisionTreeClassifier\nm = make_pipeline(StandardScaler(), FunctionTransformer(lambda a: a * 2), DecisionTreeClassifier()).fit(X, y)\nseen = m.predict(X)\nscaler = m[0]",
        _SAME + " and m[0] is scaler",
        _S,
    ),
    Kind(
        "sklearn's grid search",
        _DATA
        + "from sklearn.model_selection import GridSearchCV\nfrom sklearn.linear_model import Ridge\nm = GridSearchCV(Ridge(), {'alpha': [1, 2]}, cv=2).fit(X, y)\nseen = m.predict(X)",
        _SAME + " and set(m.best_params_) == {'alpha'}",
        _S,
    ),
    Kind(
        "sklearn's text features",
        "from sklearn.feature_extraction.text import TfidfVectorizer\nm = TfidfVectorizer(tokenizer=lambda t: t.split(), token_pattern=None)\nx = m.fit_transform(['a b', 'b c'])",
        "m.vocabulary_ == {'a': 0, 'b': 1, 'c': 2} and (m.transform(['a b', 'b c']) != x).nnz == 0",
        _S,
    ),
    Kind(
        "an estimator of one's own",
        "from sklearn.base import BaseEstimator, clone\nclass Mean(BaseEstimator):\n    def __init__(self, k=1): self.k = k\n    def fit(self, X, y=None): self.m_ = sum(X); return self\nm = Mean(2).fit([1, 2])",
        "m.m_ == 3 and clone(m).k == 2 and type(m) is Mean",
        _S,
    ),
    Kind(
        "an xgboost model",
        _DATA
        + "import xgboost\nm = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, y)\nseen = m.predict(X)\nb = m.get_booster()",
        _SAME + " and b.num_boosted_rounds() == 3",
        "xgboost",
    ),
    Kind("an xgboost matrix", _DATA + "import xgboost\nx = xgboost.DMatrix(X, label=y)", "", "xgboost"),
    Kind(
        "a network",
        "import networkx as nx\ng = nx.Graph(name='g')\ng.add_edge('a', 'b', w=3)\nh = g.subgraph(['a'])",
        "g['a']['b']['w'] == 3 and g['b']['a'] is g['a']['b'] and g.graph == {'name': 'g'}",
        "networkx",
    ),
    Kind(
        "a directed multigraph",
        "import networkx as nx\ng = nx.MultiDiGraph([(1, 2), (1, 2), (2, 3)])",
        "g.number_of_edges(1, 2) == 2 and nx.has_path(g, 1, 3) and not nx.has_path(g, 3, 1)",
        "networkx",
    ),
    Kind(
        "a picture",
        "from PIL import Image\nx = Image.new('RGBA', (3, 2), (1, 2, 3, 4))\nx.info['k'] = 'v'",
        "x.getpixel((2, 1)) == (1, 2, 3, 4) and x.mode == 'RGBA' and x.info == {'k': 'v'}",
        "PIL",
    ),
    Kind(
        "a picture with a palette",
        "from PIL import Image\nx = Image.new('RGB', (4, 4), 'red').convert('P')",
        "x.convert('RGB').getpixel((0, 0)) == (255, 0, 0) and x.mode == 'P'",
        "PIL",
    ),
    Kind(
        "a picture not loaded yet",
        "from PIL import Image\nimport io\nb = io.BytesIO()\nImage.new('L', (2, 2), 7).save(b, 'PNG')\nx = Image.open(b)",
        "x.size == (2, 2) and x.getpixel((0, 0)) == 7",
        "PIL",
    ),
    Kind(
        "a drawing",
        "from PIL import Image, ImageDraw\ni = Image.new('L', (4, 4))\nx = ImageDraw.Draw(i)",
        "",
        "PIL",
    ),
    Kind(
        "a figure",
        "import matplotlib; matplotlib.use('agg')\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nline, = ax.plot([1, 2, 3], label='l')\nax.set_title('t')\nplt.close(fig)",
        "fig.axes[0] is ax and ax.lines[0] is line and ax.get_title() == 't' and line.get_ydata().tolist() == [1, 2, 3]",
        "matplotlib",
    ),
    Kind(
        "a figure that pyplot holds",
        "import matplotlib; matplotlib.use('agg')\nimport matplotlib.pyplot as plt\nfig = plt.figure('mine')\nax = fig.add_subplot()\nax.plot([1])",
        "plt.figure('mine') is fig and plt.gca() is ax",
        "matplotlib",
    ),
    Kind(
        "axes with a callback",
        "import matplotlib; matplotlib.use('agg')\nfrom matplotlib.figure import Figure\nfig = Figure()\nfig.hits = []\ndef hit(e): fig.hits.append(e)\nc = fig.canvas.mpl_connect('draw_event', hit)",
        "",
        "matplotlib",
    ),
    Kind(
        "colour maps and norms",
        "import matplotlib as mpl\nx = mpl.colormaps['viridis']\nn = mpl.colors.LogNorm(1, 10)",
        "x(0.5) == mpl.colormaps['viridis'](0.5) and n(10) == 1",
        "matplotlib",
    ),
    Kind(
        "symbols",
        "import sympy as s\nx, y = s.symbols('x y', positive=True)\ne = s.sqrt(x ** 2) + s.sin(y)\nz = s.Dummy('z')\nd = z + 1",
        "e == x + s.sin(y) and e.free_symbols == {x, y} and x.is_positive and d - z == 1",
        "sympy",
    ),
    Kind(
        "matrices and functions of sympy",
        "import sympy as s\nt = s.Symbol('t')\nf = s.Function('f')\nm = s.Matrix([[t, 1], [0, f(t)]])\nq = s.Eq(f(t).diff(t), f(t))",
        "m.det() == t * f(t) and q.lhs == s.Derivative(f(t), t)",
        "sympy",
    ),
    Kind(
        "a lambdified expression",
        "import sympy as s\nt = s.Symbol('t')\nf = s.lambdify(t, t ** 2 + 1, 'math')",
        "f(3) == 10",
        "sympy",
    ),
    Kind(
        "mpmath numbers",
        "import mpmath\nmpmath.mp.dps = 15\nx = mpmath.mpf('0.1')",
        "x == mpmath.mpf('0.1')",
        "mpmath",
    ),
    Kind(
        "torch tensors",
        "import torch\na = torch.arange(6.0)\nb = a[:3]\nm = torch.nn.Linear(2, 1)\no = torch.optim.SGD(m.parameters(), lr=0.1)",
        "a[0] += 1\nb[0] == a[0] and o.param_groups[0]['params'][0] is m.weight",
        "torch",
    ),
    Kind(
        "requests' session",
        "import requests\nx = requests.Session()\nx.headers['A'] = 'b'",
        "x.headers['A'] == 'b'",
        "requests",
    ),
    Kind(
        "SQLAlchemy's engine",
        "import sqlalchemy\nx = sqlalchemy.create_engine('sqlite://')",
        "",
        "sqlalchemy",
    ),
    Kind("a progress bar", "import io, tqdm\nx = tqdm.tqdm(range(3), file=io.StringIO())", "", "tqdm"),
)
