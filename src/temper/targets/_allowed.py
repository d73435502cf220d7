"""Names a pickled model may use without a question, and names that are an answer by themselves."""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "allowed"
_BUILTINS = (
    "bool bytearray bytes complex dict float frozenset int list object range reversed set slice str tuple "
    "Ellipsis NotImplemented"
)
_EXACT = {
    "builtins": _BUILTINS,
    "collections": "OrderedDict defaultdict deque Counter",
    "copyreg": "_reconstructor",
    "_codecs": "encode",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "pathlib": "Path PosixPath PurePosixPath WindowsPath PureWindowsPath",
    "re": "_compile",
    "uuid": "UUID",
    "functools": "partial",
    "numpy": "mean median std sum dtype ndarray bool_ float16 float32 float64 int8 int16 int32 int64 uint8 uint16 "
    "uint32 uint64 str_ object_ nan datetime64 timedelta64 complex64 complex128 bytes_ void longdouble intc uintc",
    "numpy.random": "RandomState Generator",
    "numpy.random.mtrand": "RandomState",
    "numpy.random._generator": "Generator",
    "numpy.ma": "MaskedArray",
    "numpy.ma.core": "MaskedArray _mareconstruct",
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64",
    "numpy.random._philox": "Philox",
    "numpy.random._sfc64": "SFC64",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "numpy.random._bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "joblib.numpy_pickle": "NumpyArrayWrapper",
    "scipy.interpolate._bsplines": "BSpline",
    "scipy.interpolate._interpolate": "interp1d PPoly",
    "scipy.interpolate.interpolate": "interp1d",
    "pandas": "DataFrame Series Index RangeIndex CategoricalDtype Timestamp StringDtype",
    "pandas.core.frame": "DataFrame",
    "pandas.core.series": "Series",
    "pandas.core.internals.managers": "BlockManager SingleBlockManager",
    "pandas.core.indexes.base": "Index _new_Index",
    "pandas.core.indexes.range": "RangeIndex",
    "pandas.core.arrays.categorical": "Categorical",
    "pandas.core.arrays.string_": "StringDtype StringArray",
    "pandas.core.dtypes.dtypes": "CategoricalDtype",
    "pandas._libs.internals": "_unpickle_block",
    "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
    "xgboost.core": "Booster",
    "xgboost.sklearn": "XGBModel XGBClassifier XGBRegressor XGBRanker XGBRFClassifier XGBRFRegressor",
    "lightgbm.basic": "Booster",
    "lightgbm.sklearn": "LGBMModel LGBMClassifier LGBMRegressor LGBMRanker",
    "catboost.core": "CatBoost CatBoostClassifier CatBoostRegressor CatBoostRanker",
    "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_parameter _rebuild_qtensor _rebuild_sparse_tensor "
    "_rebuild_parameter_with_state",
    "torch": "FloatStorage DoubleStorage HalfStorage BFloat16Storage LongStorage IntStorage ShortStorage CharStorage "
    "BoolStorage ByteStorage ComplexFloatStorage ComplexDoubleStorage Size device dtype Tensor "
    "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128",
    "torch.jit._pickle": "build_intlist build_tensorlist build_doublelist build_boollist restore_type_tag",
    "torch.storage": "UntypedStorage TypedStorage",
    "torch.nn.parameter": "Parameter Buffer",
}
_BUILDERS = {"multiarray": "_reconstruct scalar", "numeric": "_frombuffer", "_multiarray_umath": "_reconstruct scalar"}
_SPARSE = "csr csc coo bsr dia lil dok"
# Private parts of fitted estimators that `all_estimators` does not list.
_SKLEARN = {
    "sklearn.tree._tree": "Tree",
    "sklearn.neighbors._kd_tree": "KDTree KDTree64 KDTree32 newObj",
    "sklearn.neighbors._ball_tree": "BallTree BallTree64 BallTree32 newObj",
    "sklearn.metrics._dist_metrics": "newObj",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
    "sklearn.calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
    "sklearn.compose._column_transformer": "_RemainderColsList make_column_selector",
    "sklearn.utils._bunch": "Bunch",
    "sklearn.utils.deprecation": "_DeprecatedSequence",
    "sklearn.utils._set_output": "_SetOutputMixin",
    "sklearn.preprocessing._function_transformer": "_identity",
    "sklearn.feature_selection._univariate_selection": "f_classif f_regression chi2 r_regression",
    "sklearn.feature_selection._mutual_info": "mutual_info_classif mutual_info_regression",
    "sklearn.mixture._base": "BaseMixture",
    "sklearn.gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
    "sklearn.cluster._birch": "_CFNode _CFSubcluster",
    "sklearn.cluster._bisect_k_means": "_BisectingTree",
    "sklearn.multiclass": "_ConstantPredictor",
    "sklearn.model_selection._split": "KFold StratifiedKFold GroupKFold TimeSeriesSplit ShuffleSplit "
    "StratifiedShuffleSplit LeaveOneOut RepeatedKFold RepeatedStratifiedKFold",
    "sklearn.metrics._scorer": "_Scorer _CurveScorer _PassthroughScorer",
    "sklearn.metrics._classification": "accuracy_score balanced_accuracy_score f1_score log_loss",
    "sklearn.cluster._kmeans": "_kmeans_single_lloyd _kmeans_single_elkan",
    "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
    "sklearn.linear_model._stochastic_gradient": "_ValidationScoreCallback",
    "sklearn.decomposition._dict_learning": "SparseCoder",
}
# Before 1.9 compiled losses called their module `_loss`, without the package it lies in.
_LOSSES = (
    "CyHalfSquaredError CyAbsoluteError CyPinballLoss CyHuberLoss CyHalfPoissonLoss CyHalfGammaLoss CyHalfTweedieLoss "
    "CyHalfTweedieLossIdentity CyHalfBinomialLoss CyHalfMultinomialLoss CyExponentialLoss"
)
# Modules of arithmetic: every class in them is a loss, link, kernel or distance, whatever its name.
_SKLEARN_MODULES = (
    "sklearn._loss.loss",
    "sklearn._loss.link",
    "sklearn._loss._loss",
    "sklearn._losses",
    "sklearn.linear_model._sgd_fast",
    "sklearn.gaussian_process.kernels",
    "sklearn.metrics._dist_metrics",
)
_CODE = (
    "os posix nt ntpath posixpath subprocess sys shutil socket socketserver ctypes _ctypes importlib imp runpy "
    "pty webbrowser pickle _pickle cPickle dill cloudpickle marshal code codeop commands multiprocessing "
    "threading _thread asyncio signal pip ensurepip venv site types inspect ast compileall py_compile zipimport "
    "pkgutil pydoc doctest pdb bdb cProfile profile timeit trace tempfile glob fileinput io _io http urllib "
    "requests ftplib smtplib telnetlib poplib imaplib nntplib xmlrpc sqlite3 gc atexit faulthandler concurrent "
    "distutils setuptools _posixsubprocess tkinter turtle idlelib platform getpass winreg _winapi msvcrt resource "
    "mmap cffi numba weakref unittest pytest operator test"
)
_CALLS = frozenset(
    {
        *((module, name) for module in ("builtins", "__builtin__") for name in (
            "eval", "exec", "compile", "__import__", "open", "getattr", "setattr", "delattr", "globals", "locals",
            "vars", "input", "breakpoint", "execfile", "file", "apply", "map", "filter", "memoryview", "help", "print",
            "exit", "quit", "super", "classmethod", "staticmethod", "property", "dir", "callable", "iter", "next",
        )),
        ("functools", "reduce"),
        ("functools", "partialmethod"),
        ("itertools", "starmap"),
        ("logging.config", "fileConfig"),
        ("logging.config", "dictConfig"),
        ("logging.config", "listen"),
        ("logging", "FileHandler"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
        ("numpy", "save"),
        ("numpy", "savetxt"),
        ("numpy", "memmap"),
        ("numpy", "loadtxt"),
        ("numpy", "genfromtxt"),
        ("yaml", "load"),
        ("yaml", "unsafe_load"),
    }
)  # fmt: skip
# Modules of the standard library whose objects a model may hold (a review); every other one has no place in a model.
_HARMLESS = (
    "abc array bisect calendar cmath collections copyreg dataclasses datetime decimal enum fractions functools "
    "heapq ipaddress itertools json logging math numbers pathlib random re statistics string time typing uuid zoneinfo "
    "_codecs __future__ __main__ builtins"
)
_MODULES = "os sys subprocess pickle builtins posix importlib ctypes socket shutil __builtins__"
_LOADERS = ("load", "read_", "fromfile", "eval", "exec", "system", "popen", "spawn", "runstring", "compile")


def known(module: str, name: str) -> bool:
    """Whether this exact name belongs to an ordinary fitted model.

    >>> known("numpy", "ndarray"), known("os", "system"), known("sklearn.datasets._base", "os.system")
    (True, False, False)
    """
    if name in _EXACT.get(module, "").split() or name in _SKLEARN.get(module, "").split():
        return True
    home, _, leaf = module.rpartition(".")
    if home in ("numpy.core", "numpy._core"):
        return name in _BUILDERS.get(leaf, "").split()
    if home == "scipy.sparse":
        return (
            leaf.strip("_") in _SPARSE.split()
            and name.removesuffix("_matrix").removesuffix("_array") in _SPARSE.split()
        )
    if module in ("numpy", "numpy.core._multiarray_umath", "numpy._core._multiarray_umath"):
        return isinstance(getattr(np, name, None), np.ufunc)
    if module == "_loss":
        return name.removeprefix("__pyx_unpickle_") in _LOSSES.split()
    if module.split(".")[0] != "sklearn" or "." in name:
        return False
    return module in _SKLEARN_MODULES or (module, name) in _listed()


def dangerous(module: str, name: str) -> bool:
    """Whether the name alone is a reason not to load: it runs code, opens files or sockets, or reaches further.

    Of the standard library that is every module but the few whose objects models hold.

    >>> dangerous("posix", "system"), dangerous("mycompany.features", "Ratio")
    (True, False)
    """
    if known(module, name):
        return False
    top = module.split(".")[0]
    stray = top in sys.stdlib_module_names and top not in _HARMLESS.split()
    by_place = stray or top in _CODE.split() or (module, name) in _CALLS
    if name == "_ufunc_reconstruct":  # imports the module it is told and gives back any attribute of it
        return True
    by_name = top != "__main__" and name.lstrip("_").startswith(_LOADERS)
    return by_place or by_name or "." in name or name in _MODULES.split() or name.lstrip("_") in _MODULES.split()


@lru_cache(maxsize=1)
def _listed() -> frozenset[tuple[str, str]]:
    """The lists written by scripts/allow_list.py, one per minor version of scikit-learn, all together."""
    found: set[tuple[str, str]] = set()
    for file in sorted(FOLDER.glob("*.json")):
        listed = json.loads(file.read_text(encoding="utf-8"))
        found |= {(module, name) for module, names in listed.items() for name in names}
    return frozenset(found)
