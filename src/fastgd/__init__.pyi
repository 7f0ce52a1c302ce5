"""The public names of ``fastgd``: ``__init__.py`` imports each on first use, as it is here."""

from typing import TYPE_CHECKING

from fastgd import bucket as bucket
from fastgd import functions as functions
from fastgd import optimizers as optimizers
from fastgd import plots as plots
from fastgd import reference as reference
from fastgd import schedules as schedules
from fastgd import sklearn as sklearn
from fastgd.checks.messages import TrainingWarning as TrainingWarning
from fastgd.engine.devices import DeviceError as DeviceError
from fastgd.engine.devices import devices as devices
from fastgd.engine.progress import Progress as Progress
from fastgd.engine.results import Summary as Summary
from fastgd.engine.versions import show_versions as show_versions
from fastgd.formulas.measures import Measure as Measure
from fastgd.formulas.named import Function as Function
from fastgd.formulas.named import Loss as Loss
from fastgd.formulas.named import Penalty as Penalty
from fastgd.formulas.named import Schedule as Schedule
from fastgd.formulas.rules import Rule as Rule
from fastgd.models.fit import fit as fit
from fastgd.models.group_models import GroupModels as GroupModels
from fastgd.models.model import Model as Model
from fastgd.studies.box_counting import BoxCounting as BoxCounting
from fastgd.studies.box_counting import box_counting as box_counting
from fastgd.studies.race import Race as Race
from fastgd.studies.surface import Surface as Surface
from fastgd.studies.trainability_map import Trainability as Trainability
from fastgd.studies.trainability_map import trainability as trainability
from fastgd.studies.trainability_map import trainability_zoom as trainability_zoom
from fastgd.training.folder_sweep import open as open  # noqa: A004
from fastgd.training.objective import Objective as Objective
from fastgd.training.run import Run as Run
from fastgd.training.run import Snapshot as Snapshot
from fastgd.training.saved_result import assert_equal as assert_equal
from fastgd.training.sweep_result import Sweep as Sweep

__version__: str

if not TYPE_CHECKING:
    from fastgd.models.group_models import load as load
    from fastgd.models.groups import fit_groups as fit_groups
    from fastgd.studies.race import race as race
    from fastgd.studies.surface import surface as surface
    from fastgd.training.objective import minimize as minimize
    from fastgd.training.objective import objective as objective
    from fastgd.training.train_sweep import sweep as sweep
    from fastgd.training.train_sweep import train as train
else:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from math import inf
    from typing import Any, Literal

    from numpy.typing import ArrayLike

    from fastgd.arguments.initial_network import Start
    from fastgd.arguments.subsets import Splits
    from fastgd.checks.numbers import Seed
    from fastgd.engine.progress import ProgressHook
    from fastgd.models.model import Table
    from fastgd.optimizers import Adam, Axis, GradientDescent, Optimizer
    from fastgd.schedules import AnySchedule, Constant
    from fastgd.store import PathLike
    from fastgd.studies.race import Entry
    from fastgd.studies.surface import Weight
    from fastgd.tables.columns import Encoding
    from fastgd.training.objective import Minimizer
    from fastgd.training.run_or_sweep import RunOrSweep
    from fastgd.training.train_sweep import HeldOut

    class _Saved(Model, GroupModels, RunOrSweep):
        """Any saved result: what only some have may be used, and what differs is not checked."""

        columns: Any
        errors: Any
        gradient: Any
        notes: Any
        options: Any
        predict: Any
        predict_proba: Any
        remarks: Any
        def __getitem__(self, at: Any) -> Any: ...
        def __iter__(self) -> Iterator[Any]: ...

    def load(path: PathLike) -> _Saved: ...

    # fmt: off
    # Below: python docs/write_stub.py
    __all__ = ["BoxCounting", "DeviceError", "Function", "GroupModels", "Loss", "Measure",
        "Model", "Objective", "Penalty", "Progress", "Race", "Rule", "Run", "Schedule",
        "Snapshot", "Summary", "Surface", "Sweep", "Trainability", "TrainingWarning",
        "assert_equal", "box_counting", "bucket", "devices", "fit", "fit_groups", "functions",
        "load", "minimize", "objective", "optimizers", "race", "reference", "schedules",
        "show_versions", "surface", "sweep", "train", "trainability", "trainability_zoom"]
    _Activation = Literal["sigmoid", "tanh", "relu", "identity", "softplus", "leaky_relu",
        "elu", "silu", "gelu"]
    _Output = Literal["sigmoid", "tanh", "identity", "softplus", "exp", "softmax"]
    _Loss = Literal["squared", "cross_entropy", "huber", "absolute", "quantile", "poisson",
        "gaussian"]
    _Reduction = Literal["sum", "mean"]
    _Init = Literal["article", "glorot", "glorot_normal", "he", "he_normal", "lecun",
        "lecun_normal"]
    _Sampling = Literal["epochs", "adaptive"]
    _Regularization = Literal["given", "bayesian"]
    _Monitor = Literal["error", "loss"]
    _Measure = Literal["gradient_norm", "update_norm", "weight_norm", "largest_weight",
        "gradient_cosine", "direction_changes", "saturated", "dead", "sharpness"]
    def train(
        X: ArrayLike, y: ArrayLike, *, gradients: ArrayLike | None = None,
        hidden_size: int | tuple[int, ...] = 4, alpha: float | tuple[float, ...] = 1.0,
        iterations: int = 60000, record_every: int = 10000, seed: Seed = 1,
        weights: Start | None = None, biases: Sequence[ArrayLike] | None = None,
        validation: HeldOut | None = None, record_weights: bool = False,
        record_predictions: bool = False, resume: Run | None = None, samples: str = 'same',
        change: Mapping[str, Any] | None = None, checkpoint: PathLike | None = None,
        checkpoint_every: float = 60.0, threads: int | None = None, device: str = 'cpu',
        progress: bool | ProgressHook = False, optimizer: Optimizer = GradientDescent(),
        schedule: AnySchedule | ArrayLike = Constant(),
        freeze: int | Sequence[ArrayLike | None] | None = None,
        activation: _Activation | Function = 'sigmoid', output: _Output | Function = 'sigmoid',
        bias: bool = False, loss: _Loss | Loss = 'squared', reduction: _Reduction = 'sum',
        init: _Init | tuple[_Init, ...] = 'article', batch_norm: bool = False,
        sample_weight: ArrayLike | None = None, gradient_weight: float = 0.0,
        batch_size: int | None = None, shuffle: bool = True, shuffle_seed: int = 0,
        sampling: _Sampling = 'epochs', sampling_rate: float = 1.0, l1: float = 0.0,
        l2: float = 0.0, penalty: Penalty | None = None, regularization: _Regularization = 'given',
        dropout: float = 0.0, dropconnect: float = 0.0, gradient_noise: float = 0.0,
        input_noise: float = 0.0, noise_decay: float = 0.0, trim_below: float = 0.0,
        clip_above: float = inf, clip_norm: float = inf, max_norm: float = inf,
        tolerance: float = 0.0, patience: int | None = None, min_delta: float = 0.0,
        monitor: _Monitor = 'error', summary: int | None = None, evaluate_every: int | None = None,
        restore_best: bool = False,
        measure: _Measure | Measure | Sequence[_Measure | Measure] | None = None,
        measure_every: int | None = None, measure_layers: bool = False, stop: str | None = None,
        negative_slope: float = 0.01, elu_alpha: float = 1.0, delta: float = 1.0, tau: float = 0.5
    ) -> Run: ...
    def sweep(
        X: ArrayLike, y: ArrayLike, *, gradients: ArrayLike | None = None,
        hidden_size: int | tuple[int, ...] | Axis[int | tuple[int, ...]] = 4,
        alpha: float | tuple[float, ...] | Axis[float | tuple[float, ...]] = 1.0,
        iterations: int = 60000, record_every: int = 10000, seed: Seed | Axis[Seed] = 1,
        weights: Start | Sequence[Start] | None = None,
        biases: Sequence[ArrayLike] | Sequence[Sequence[ArrayLike]] | None = None,
        combinations: Sequence[Mapping[str, float | tuple[float, ...]]] | None = None,
        groups: ArrayLike | None = None, folds: int | Splits | None = None,
        validation: HeldOut | None = None, keep_weights: bool = True, record_weights: bool = False,
        record_predictions: bool = False, keep_state: bool = False, resume: Sweep | None = None,
        samples: str = 'same', change: Mapping[str, Any] | None = None, out: PathLike | None = None,
        executor: Executor | None = None, threads: int | None = None, threads_per_worker: int = 1,
        device: str = 'cpu', progress: bool | ProgressHook = False,
        optimizer: Optimizer | Axis[Optimizer] = GradientDescent(),
        schedule: AnySchedule | ArrayLike | Axis[AnySchedule | ArrayLike] = Constant(),
        freeze: int | Sequence[Any] | None = None,
        activation: _Activation | Function | Axis[_Activation | Function] = 'sigmoid',
        output: _Output | Function | Axis[_Output | Function] = 'sigmoid',
        bias: bool | Axis[bool] = False, loss: _Loss | Loss | Axis[_Loss | Loss] = 'squared',
        reduction: _Reduction | Axis[_Reduction] = 'sum',
        init: _Init | tuple[_Init, ...] | Axis[_Init | tuple[_Init, ...]] = 'article',
        batch_norm: bool | Axis[bool] = False, sample_weight: ArrayLike | None = None,
        gradient_weight: float | Axis[float] = 0.0,
        batch_size: int | Axis[int | None] | None = None, shuffle: bool = True,
        shuffle_seed: int = 0, sampling: _Sampling = 'epochs',
        sampling_rate: float | Axis[float] = 1.0, l1: float | Axis[float] = 0.0,
        l2: float | Axis[float] = 0.0, penalty: Penalty | Axis[Penalty | None] | None = None,
        regularization: _Regularization = 'given', dropout: float | Axis[float] = 0.0,
        dropconnect: float | Axis[float] = 0.0, gradient_noise: float | Axis[float] = 0.0,
        input_noise: float | Axis[float] = 0.0, noise_decay: float | Axis[float] = 0.0,
        trim_below: float | Axis[float] = 0.0, clip_above: float | Axis[float] = inf,
        clip_norm: float | Axis[float] = inf, max_norm: float | Axis[float] = inf,
        tolerance: float | Axis[float] = 0.0, patience: int | Axis[int | None] | None = None,
        min_delta: float | Axis[float] = 0.0, monitor: _Monitor = 'error',
        summary: int | None = None, evaluate_every: int | None = None, restore_best: bool = False,
        measure: _Measure | Measure | Sequence[_Measure | Measure] | None = None,
        measure_every: int | None = None, measure_layers: bool = False, stop: str | None = None,
        negative_slope: float | Axis[float] = 0.01, elu_alpha: float | Axis[float] = 1.0,
        delta: float | Axis[float] = 1.0, tau: float | Axis[float] = 0.5
    ) -> Sweep: ...
    def fit_groups(
        df: Table, by: str | Sequence[str], target: str, *, inputs: Sequence[str] | None = None,
        drop: Collection[str] = (), keep: Collection[str] = (), max_categories: int = 200,
        encoding: Encoding = 'one-hot', classification: bool | None = None,
        unknown: Literal['nan', 'global'] = 'nan', start: Literal['global', 'own'] = 'global',
        standardize: Literal['group', 'global'] = 'group',
        model: Literal['network', 'best'] = 'network', validation_fraction: float = 0.2,
        test_fraction: float = 0.2, test_last: str | int | None = None, horizon: int | None = None,
        cutoffs: int | None = None, min_rows: int = 10, split_seed: Seed = 0,
        hidden_size: int | tuple[int, ...] = 16,
        alpha: float | tuple[float, ...] | Axis[float] | None = None, iterations: int = 500,
        seed: Seed = 1, out: PathLike | None = None, executor: Executor | None = None,
        threads: int | None = None, threads_per_worker: int = 1, device: str = 'cpu',
        progress: bool | ProgressHook = False,
        optimizer: Optimizer = Adam(beta1=0.9, beta2=0.999, epsilon=1e-08),
        schedule: AnySchedule | ArrayLike = Constant(),
        freeze: int | Sequence[ArrayLike | None] | None = None,
        activation: _Activation | Function = 'tanh', output: _Output | Function = 'identity',
        bias: bool = True, loss: _Loss | Loss = 'squared', reduction: _Reduction = 'mean',
        init: _Init | tuple[_Init, ...] = 'glorot', batch_norm: bool = False,
        gradient_weight: float = 0.0, batch_size: int | None = None, shuffle: bool = True,
        shuffle_seed: int = 0, sampling: _Sampling = 'epochs', sampling_rate: float = 1.0,
        l1: float | Axis[float] = 0.0, l2: float | Axis[float] = 0.0,
        penalty: Penalty | None = None, regularization: _Regularization = 'given',
        dropout: float | Axis[float] = 0.0, dropconnect: float = 0.0, gradient_noise: float = 0.0,
        input_noise: float = 0.0, noise_decay: float = 0.0, trim_below: float = 0.0,
        clip_above: float = inf, clip_norm: float = inf, max_norm: float = inf,
        tolerance: float = 0.0, patience: int | None = 30, min_delta: float = 0.0,
        monitor: _Monitor = 'error', evaluate_every: int | None = None, restore_best: bool = True,
        negative_slope: float = 0.01, elu_alpha: float = 1.0, delta: float = 1.0, tau: float = 0.5
    ) -> GroupModels: ...
    def race(
        X: ArrayLike, y: ArrayLike, optimizers: Mapping[str, Entry] | Sequence[Entry] | None = None,
        *, hidden_size: int | tuple[int, ...] = 4, iterations: int = 1000,
        record_every: int | None = None, seed: Seed = 1, weights: Start | None = None,
        biases: Sequence[ArrayLike] | None = None, out: PathLike | None = None,
        executor: Executor | None = None, threads: int | None = None,
        progress: bool | ProgressHook = False, schedule: AnySchedule | ArrayLike = Constant(),
        freeze: int | Sequence[ArrayLike | None] | None = None,
        activation: _Activation | Function = 'sigmoid', output: _Output | Function = 'sigmoid',
        bias: bool = False, loss: _Loss | Loss = 'squared', reduction: _Reduction = 'sum',
        init: _Init | tuple[_Init, ...] = 'article', batch_norm: bool = False,
        sample_weight: ArrayLike | None = None, gradient_weight: float = 0.0,
        batch_size: int | None = None, shuffle: bool = True, shuffle_seed: int = 0,
        sampling: _Sampling = 'epochs', sampling_rate: float = 1.0, l1: float = 0.0,
        l2: float = 0.0, penalty: Penalty | None = None, regularization: _Regularization = 'given',
        dropout: float = 0.0, dropconnect: float = 0.0, gradient_noise: float = 0.0,
        input_noise: float = 0.0, noise_decay: float = 0.0, trim_below: float = 0.0,
        clip_above: float = inf, clip_norm: float = inf, max_norm: float = inf,
        tolerance: float = 0.0, patience: int | None = None, min_delta: float = 0.0,
        monitor: _Monitor = 'error', summary: int | None = None, evaluate_every: int | None = None,
        restore_best: bool = False,
        measure: _Measure | Measure | Sequence[_Measure | Measure] | None = None,
        measure_every: int | None = None, measure_layers: bool = False, stop: str | None = None,
        negative_slope: float = 0.01, elu_alpha: float = 1.0, delta: float = 1.0, tau: float = 0.5
    ) -> Race: ...
    def objective(
        X: ArrayLike, y: ArrayLike, *, hidden_size: int | tuple[int, ...] = 4,
        activation: _Activation | Function = 'sigmoid', output: _Output | Function = 'sigmoid',
        bias: bool = False, loss: _Loss | Loss = 'squared', reduction: _Reduction = 'sum',
        sample_weight: ArrayLike | None = None, l1: float = 0.0, l2: float = 0.0,
        penalty: Penalty | None = None, negative_slope: float = 0.01, elu_alpha: float = 1.0,
        delta: float = 1.0, tau: float = 0.5
    ) -> Objective: ...
    def minimize(
        X: ArrayLike, y: ArrayLike, *, hidden_size: int | tuple[int, ...] = 4,
        method: Minimizer = 'BFGS', iterations: int = 1000, seed: Seed = 1,
        weights: Start | None = None, biases: Sequence[ArrayLike] | None = None,
        span: tuple[float, float] | None = None, activation: _Activation | Function = 'sigmoid',
        output: _Output | Function = 'sigmoid', bias: bool = False, loss: _Loss | Loss = 'squared',
        reduction: _Reduction = 'sum', sample_weight: ArrayLike | None = None, l1: float = 0.0,
        l2: float = 0.0, penalty: Penalty | None = None, negative_slope: float = 0.01,
        elu_alpha: float = 1.0, delta: float = 1.0, tau: float = 0.5
    ) -> Run: ...
    def surface(
        X: ArrayLike, y: ArrayLike, weights: Start, *, biases: Sequence[ArrayLike] | None = None,
        axes: tuple[Weight, Weight] = ((0, 0, 0), (0, 1, 0)),
        span: tuple[float, float] | tuple[tuple[float, float], tuple[float, float]] = (-10.0, 10.0),
        resolution: int = 201, out: PathLike | None = None, executor: Executor | None = None,
        threads: int | None = None, threads_per_worker: int = 1, device: str = 'cpu',
        progress: bool | ProgressHook = False, activation: _Activation | Function = 'sigmoid',
        output: _Output | Function = 'sigmoid', bias: bool = False, loss: _Loss | Loss = 'squared',
        sample_weight: ArrayLike | None = None, negative_slope: float = 0.01,
        elu_alpha: float = 1.0, delta: float = 1.0, tau: float = 0.5
    ) -> Surface: ...
