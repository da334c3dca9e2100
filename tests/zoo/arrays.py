"""Arrays, sparse matrices, and how they share memory."""

from __future__ import annotations

from .kinds import Kind

_N = "numpy"
KINDS = (
    Kind(
        "an array",
        "import numpy as np\nx = np.arange(6.0).reshape(2, 3)",
        "x.dtype == float and x.tolist() == [[0, 1, 2], [3, 4, 5]] and x.flags.writeable",
        _N,
    ),
    Kind(
        "a large array",
        "import numpy as np\nx = np.arange(1_000_000)\ny = [x]",
        "y[0] is x and x.sum() == 499999500000 and x.flags.writeable",
        _N,
    ),
    Kind(
        "Fortran order",
        "import numpy as np\nx = np.asfortranarray(np.arange(6000).reshape(2, 3000))",
        "x.flags.f_contiguous and not x.flags.c_contiguous and x[1, 2] == 3002",
        _N,
    ),
    Kind(
        "a view of an array",
        "import numpy as np\na = np.zeros(5000)\nb = a[10:4000:3]",
        "a[13] += 1\nb[1] == a[13] and np.shares_memory(a, b) and b.strides == (24,)",
        _N,
    ),
    Kind(
        "two views without the array",
        "import numpy as np\na, b = (lambda z: (z[:6], z[4:]))(np.zeros(10))",
        "a[4] += 1\nb[0] == a[4]",
        _N,
    ),
    Kind(
        "a transposed array",
        "import numpy as np\na = np.arange(6).reshape(2, 3)\nb = a.T",
        "a[0, 1] += 1\nb[1, 0] == a[0, 1]",
        _N,
    ),
    Kind(
        "a view with negative strides",
        "import numpy as np\na = np.arange(10)\nb = a[::-1]",
        "a[0] += 1\nb[-1] == a[0] and b.strides == (-8,)",
        _N,
    ),
    Kind(
        "a view of another type",
        "import numpy as np\na = np.zeros(4, 'f4')\nb = a.view('u4')",
        "a[0] = 1\nb[0] == 0x3f800000",
        _N,
    ),
    Kind(
        "a broadcast view",
        "import numpy as np\na = np.arange(3)\nb = np.broadcast_to(a, (4, 3))",
        "a[0] += 1\nb[:, 0].tolist() == [a[0]] * 4 and not b.flags.writeable",
        _N,
    ),
    Kind(
        "a field of a structured array",
        "import numpy as np\na = np.zeros(3, dtype=[('x', 'i4'), ('y', 'U3')])\nb = a['x']",
        "a['x'][1] += 5\nb[1] == a['x'][1] and a.dtype.names == ('x', 'y')",
        _N,
    ),
    Kind(
        "a small view of a large array that is gone",
        "import numpy as np\nx = np.arange(1_000_000)[5:8]",
        "x.tolist() == [5, 6, 7]",
        _N,
    ),
    Kind(
        "an array of objects",
        "import numpy as np\nl = [1]\nx = np.array([l, None, 'a'], dtype=object)",
        "x[0] is l and x[1] is None",
        _N,
    ),
    Kind(
        "a view of an array of objects",
        "import numpy as np\na = np.array([[1], None, 'a'], dtype=object)\nb = a[:2]",
        "a[1] = 5\nb[1] == 5 and a[0] is b[0]",
        _N,
    ),
    Kind(
        "a read-only array",
        "import numpy as np\nx = np.arange(3)\nx.flags.writeable = False",
        "not x.flags.writeable and x.tolist() == [0, 1, 2]",
        _N,
    ),
    Kind(
        "a large read-only array",
        "import numpy as np\nx = np.arange(3000)\nx.flags.writeable = False",
        "not x.flags.writeable and x[5] == 5",
        _N,
    ),
    Kind(
        "an array over a bytearray",
        "import numpy as np\nb = bytearray(8)\nx = np.frombuffer(b, 'u1')",
        "b[0] = 7\nx[0] == 7",
        _N,
    ),
    Kind(
        "an array over bytes",
        "import numpy as np\nb = b'abcd'\nx = np.frombuffer(b, 'u1')",
        "x.tolist() == [97, 98, 99, 100] and not x.flags.writeable",
        _N,
    ),
    Kind(
        "masked arrays",
        "import numpy as np\nx = np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=9)",
        "x.sum() == 4 and x.mask.tolist() == [False, True, False] and x.fill_value == 9",
        _N,
    ),
    Kind(
        "dates and times",
        "import numpy as np\nx = np.array(['2024-01-01', 'NaT'], 'M8[D]')\ny = np.timedelta64(3, 'h')",
        "x.dtype == 'M8[D]' and np.isnat(x[1]) and y == np.timedelta64(3, 'h')",
        _N,
    ),
    Kind(
        "scalars",
        "import numpy as np\nx = [np.float32(0.1), np.int8(-1), np.bool_(True), np.str_('a'), np.void(b'ab')]",
        "type(x[0]) is np.float32 and x[0] == np.float32(0.1) and type(x[1]) is np.int8 and x[2] is np.True_",
        _N,
    ),
    Kind(
        "a dtype",
        "import numpy as np\nx = np.dtype([('a', '<i4', (2,)), ('b', 'S3')], align=True)",
        "x == np.dtype([('a', '<i4', (2,)), ('b', 'S3')], align=True) and x.isalignedstruct",
        _N,
    ),
    Kind(
        "texts of varying length",
        "import numpy as np\nx = np.array(['a', 'bcd' * 30], dtype=np.dtypes.StringDType())",
        "x[1] == 'bcd' * 30 and x.dtype == np.dtypes.StringDType()",
        _N,
    ),
    Kind(
        "another byte order",
        "import numpy as np\nx = np.arange(3, dtype='>i4')",
        "x.dtype.byteorder == '>' and x.tolist() == [0, 1, 2]",
        _N,
    ),
    Kind(
        "an array of no dimension",
        "import numpy as np\nx = np.array(5.0)\ny = np.zeros((0, 3))",
        "x.shape == () and x == 5 and y.shape == (0, 3)",
        _N,
    ),
    Kind(
        "record arrays",
        "import numpy as np\nx = np.rec.array([(1, 'a')], dtype=[('n', int), ('s', 'U1')])",
        "x.n[0] == 1 and type(x) is np.recarray",
        _N,
    ),
    Kind(
        "a subclass with attributes",
        "import numpy as np\nclass A(np.ndarray):\n    def __array_finalize__(self, o): self.unit = getattr(o, 'unit', None)\nx = np.arange(3).view(A)\nx.unit = 'm'",
        "x.tolist() == [0, 1, 2] and x.unit == 'm' and type(x) is A",
        _N,
    ),
    Kind(
        "a memmap", "import numpy as np, tempfile\nx = np.memmap(tempfile.TemporaryFile(), shape=10)", "", _N
    ),
    Kind(
        "a view of a memmap",
        "import numpy as np, tempfile\nx = np.asarray(np.memmap(tempfile.TemporaryFile(), shape=10))",
        "",
        _N,
    ),
    Kind(
        "a Generator",
        "import numpy as np\nx = np.random.default_rng(3)\nx.random()\nseen = x.bit_generator.state",
        "x.bit_generator.state == seen",
        _N,
    ),
    Kind(
        "generators that share their bits",
        "import numpy as np\na = np.random.PCG64(3)\nx, y = np.random.Generator(a), np.random.Generator(a)",
        "x.bit_generator is y.bit_generator is a",
        _N,
    ),
    Kind(
        "a RandomState",
        "import numpy as np\nx = np.random.RandomState(3)\nx.rand()\nseen = x.get_state()[2]",
        "x.get_state()[2] == seen",
        _N,
    ),
    Kind("an iterator of an array", "import numpy as np\na = np.arange(3)\nx = np.nditer(a)", "", _N),
    Kind(
        "ufuncs and functions",
        "import numpy as np\nx = [np.add, np.mean, np.frompyfunc(lambda a: a, 1, 1)][:2]",
        "x[0] is np.add and x[1] is np.mean",
        _N,
    ),
    Kind(
        "vectorize",
        "import numpy as np\nx = np.vectorize(lambda a: a + 1)",
        "x(np.array([1, 2])).tolist() == [2, 3]",
        _N,
    ),
    Kind(
        "a polynomial",
        "import numpy as np\nx = np.polynomial.Polynomial([1, 2])\ny = np.poly1d([1, 2])",
        "x(3) == 7 and y(3) == 5",
        _N,
    ),
    Kind(
        "sparse matrices",
        "import scipy.sparse as s\nx = s.csr_array([[0, 1], [2, 0]])\ny = s.coo_matrix(x)",
        "x.toarray().tolist() == [[0, 1], [2, 0]] and x.format == 'csr' and y.format == 'coo'",
        "scipy",
    ),
    Kind(
        "a KD tree",
        "import numpy as np\nfrom scipy.spatial import cKDTree\nx = cKDTree(np.arange(20.0).reshape(10, 2))",
        "x.query([0, 1])[1] == 0 and x.n == 10",
        "scipy",
    ),
    Kind(
        "an interpolation",
        "import numpy as np\nfrom scipy.interpolate import CubicSpline\nx = CubicSpline(np.arange(5), np.arange(5) ** 2)",
        "abs(x(2.5) - 6.25) < 1e-9",
        "scipy",
    ),
    Kind(
        "a frozen distribution",
        "from scipy import stats\nx = stats.norm(3, 2)",
        "x.mean() == 3 and x.std() == 2",
        "scipy",
    ),
)
