"""What has come back is kept on as anything else: also what later cells make of it."""

from __future__ import annotations

import pytest

from .conftest import Start

#: What the first session makes, what the second makes of it, and what must hold in the third.
VALUES = {
    "a view of an array": (
        "import numpy as np\na = np.zeros(300_000)",
        "b = a[5:9]; b[0] = 7",
        "a[5] == 7 and np.shares_memory(a, b)",
    ),
    "a view of a view": (
        "import numpy as np\na = np.arange(300_000); b = a[10:]",
        "c = b[10:]; c[0] = -1",
        "a[20] == b[10] == c[0] == -1 and np.shares_memory(a, c)",
    ),
    "an array over a view of bytes": (
        "import numpy as np\na = np.arange(300_000.0).reshape(3, -1)",
        "b = a.T; a[1, 1] = 5; d = {'a': a}",
        "b[1, 1] == 5 and d['a'] is a and b.shape == (100_000, 3)",
    ),
    "a frame": (
        "import pandas as pd\ndf = pd.DataFrame({'a': range(50_000), 'b': 1.5})",
        "part = df[['a']]; df.iloc[0, 0] = -9; v = df['b'].to_numpy()",
        "part.iloc[0, 0] == 0 and df.iloc[0, 0] == -9 and v.sum() == 75_000",
    ),
    "a class": (
        "class C:\n    n = 1\n    def f(self): return self.n\nc = C()",
        "C.n = 2; d = C()",
        "c.f() == d.f() == 2 and type(c) is type(d) is C",
    ),
    "a closure": (
        "def make():\n    n = []\n    return n.append, lambda: n\npush, get = make()",
        "push(1); again = get()",
        "again is get() and again == [1]",
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_has_come_back_is_kept_on(start: Start, name: str) -> None:
    made, later, holds = VALUES[name]
    start().keep(made)
    second = start()
    second.journal.restore()
    second.keep(later)
    assert second.lost() == {} and eval(holds, second.names)
    third = start()
    third.journal.restore()
    assert eval(holds, third.names)
