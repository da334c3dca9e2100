"""Models, statistics, formulas, graphs."""

_DATA = """
import numpy as np
rng = np.random.RandomState(0)
X = rng.normal(size=(60, 3)); y = (X[:, 0] + 0.1 * rng.normal(size=60) > 0).astype(int)
"""

NOTEBOOKS = {
    "a classifier": _DATA
    + """# %%
from sklearn.model_selection import train_test_split
Xt, Xv, yt, yv = train_test_split(X, y, random_state=rng)
# %%
from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit(Xt, yt)
# %%
score = model.score(Xv, yv); score
# %%
import pandas as pd
pd.Series(model.coef_[0].round(6), index=["a", "b", "c"]), rng.randint(1000)
""",
    "a forest": _DATA
    + """# %%
from sklearn.ensemble import RandomForestClassifier
forest = RandomForestClassifier(n_estimators=7, random_state=rng)
# %%
forest.fit(X, y); trees = forest.estimators_
# %%
trees[0] is forest.estimators_[0], forest.predict(X).sum()
# %%
forest.feature_importances_.round(6), rng.rand().__round__(6)
""",
    "a pipeline": _DATA
    + """# %%
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler, FunctionTransformer
from sklearn.svm import SVC
scale = StandardScaler()
pipe = Pipeline([("scale", scale), ("twice", FunctionTransformer(lambda a: a * 2)), ("svc", SVC())])
# %%
pipe.fit(X, y)
# %%
pipe[0] is scale, scale.mean_.round(6), pipe.score(X, y)
# %%
results = {}
results["svc"] = pipe; results["svc"].predict(X[:5])
""",
    "training by steps": _DATA
    + """# %%
from sklearn.linear_model import SGDClassifier
clf = SGDClassifier(random_state=1); history = []
def epoch():
    clf.partial_fit(X, y, classes=[0, 1]); history.append(clf.score(X, y))
# %%
epoch()
# %%
for _ in range(3): epoch()
# %%
len(history), history, clf.coef_.round(4)
""",
    "clusters": _DATA
    + """# %%
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
pca = PCA(2).fit(X); Z = pca.transform(X)
# %%
km = KMeans(3, n_init=1, random_state=0).fit(Z); labels = km.labels_
# %%
labels is km.labels_, np.bincount(labels), km.inertia_.__round__(4)
# %%
Z[labels == 0].mean(axis=0).round(4), pca.explained_variance_ratio_.round(4)
""",
    "boosting": _DATA
    + """# %%
import xgboost
booster = xgboost.XGBClassifier(n_estimators=4, n_jobs=1, max_depth=2); booster.fit(X, y)
# %%
p = booster.predict_proba(X)[:, 1].round(4); p[:4]
# %%
more = xgboost.XGBClassifier(n_estimators=2, n_jobs=1); more.fit(X, y, xgb_model=booster.get_booster())
# %%
more.get_booster().num_boosted_rounds(), booster.get_booster().num_boosted_rounds()
""",
    "statistics": """
from scipy import stats
import numpy as np
a = stats.norm(1, 2); sample = a.rvs(20, random_state=3)
# %%
t = stats.ttest_1samp(sample, 0); t.statistic.round(6)
# %%
kde = stats.gaussian_kde(sample); grid = np.linspace(-2, 4, 5)
# %%
kde(grid).round(6), a.cdf(1), t.pvalue.round(6)
""",
    "sparse": """
import numpy as np, scipy.sparse as sp
m = sp.lil_matrix((5, 5)); m[0, 1] = 2
# %%
m[3, 4] = 7; c = m.tocsr()
# %%
c.data *= 2; data = c.data
# %%
data[0] = 100
c.toarray().sum(), m.sum(), data is c.data
""",
    "formulas": """
import sympy as s
x, y = s.symbols("x y"); f = s.Function("f"); expr = (x + y) ** 3
# %%
big = s.expand(expr); table = {x: 2, y: s.Rational(1, 3)}
# %%
big.subs(table), big.coeff(x, 2)
# %%
sol = s.solve(s.Eq(x ** 2, 2), x); g = s.lambdify(x, x ** 2 + 1, "math")
# %%
sol, g(4), s.diff(f(x) * x, x), expr.free_symbols == {x, y}
""",
    "graphs": """
import networkx as nx
g = nx.path_graph(4); view = g.subgraph([0, 1, 2])
# %%
g.add_edge(0, 3, weight=5); g.nodes[0]["c"] = "red"
# %%
pos = {n: (n, 0) for n in g}; attrs = g.nodes[0]
# %%
attrs["c"] = "blue"; nx.shortest_path(g, 0, 3), g.nodes[0]
# %%
g.remove_node(1); sorted(view.nodes), sorted(g.edges)
""",
    "a Markov chain": """
import random
random.seed(11)
text = "the cat sat on the mat the cat ran".split(); table = {}
for a, b in zip(text, text[1:]): table.setdefault(a, []).append(b)
# %%
def walk(n, word="the"):
    out = [word]
    for _ in range(n): out.append(random.choice(table.get(out[-1], text)))
    return " ".join(out)
walk(5)
# %%
table["ran"] = ["home"]; words = table["the"]
# %%
words.append("dog"); walk(8)
# %%
random.random(), table["the"] is words, walk(4)
""",
    "Monte Carlo": """
import numpy as np
rng = np.random.default_rng(2024); hits = total = 0
def throw(n):
    global hits, total
    p = rng.random((n, 2)); hits += int(((p ** 2).sum(axis=1) < 1).sum()); total += n
# %%
throw(1000)
# %%
throw(500); child = rng.spawn(1)[0]
# %%
hits, total, round(child.random(), 9)
# %%
throw(10); round(4 * hits / total, 6), round(rng.random(), 9)
""",
}
