"""Our search spaces as model spaces of NNI: one categorical per parameter, and the rule as a constraint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import ENUMERABLE
from nni_graphnas.host import require_nas

require_nas()

from nni.mutable import Categorical, Mutable, SampleValidationError  # noqa: E402
from nni.mutable.annotation import Constraint  # noqa: E402
from nni.mutable.exception import ConstraintViolation, SampleMissingError  # noqa: E402
from nni.mutable.utils import label  # noqa: E402
from nni.nas.nn.pytorch import ModelSpace  # noqa: E402

Sample = dict[str, Any]


def model_space(space: GraphSpace, *, num_classes: int, **shape: Any) -> ArchitectureModelSpace:
    """``space`` as an NNI model space, for ``NasExperiment`` with any multi-trial strategy.

    A sample has the parameters that the space also has in Optuna, such as ``nasbench201/op_0_1``, one
    ``Categorical`` each. Freezing a sample, and running one in a trial, builds the network that
    ``space.build`` builds. Use NNI's model formats ``simplified`` (its default) or ``raw``.

    * Random samples are drawn by the space's own ``sample``, so they are always valid and have its
      distribution. NNI's evolution re-samples each parameter on its own and retries what the rule refuses.
    * A trial in another process makes the space again as ``type(space)(**space.arguments())``: a space of
      your own must be importable there, and its ``arguments`` complete. So must the parts of a product, its
      rule and its builder.

    Args:
        space: The search space.
        num_classes: Size of the network's output.
        **shape: Further arguments of ``space.build``, such as ``in_channels`` or widths.

    Raises:
        InvalidArgument: ``space`` is no search space, or ``num_classes`` no positive integer.
    """
    if not isinstance(space, GraphSpace):
        raise InvalidArgument(f"space must be a GraphSpace, got {type(space).__name__}")
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
        raise InvalidArgument(f"num_classes must be a positive integer, got {num_classes!r}")
    return ArchitectureModelSpace(SpaceReference(space), num_classes, dict(shape))


class SpaceReference:
    """A search space that NNI sends to a trial as its class and arguments rather than as pickled bytes.

    Args:
        space: The space. For a restricted one the whole space is sent, since a trial only builds and need
            not know which architectures the search is restricted to.
    """

    def __init__(self, space: GraphSpace) -> None:
        self.space = space

    def _dump(self) -> dict[str, Any]:  # the names are NNI's protocol
        whole = self.space.whole
        return {"space_class": type(whole), "arguments": whole.arguments()}

    @classmethod
    def _load(cls, space_class: type[GraphSpace], arguments: Mapping[str, Any]) -> SpaceReference:
        return cls(space_class(**arguments))

    def __repr__(self) -> str:
        return repr(self.space)


class ArchitectureModelSpace(ModelSpace):
    """The model space that :func:`model_space` makes.

    Args:
        reference: The search space.
        num_classes: Size of the network's output.
        shape: Further arguments of the space's ``build``.
    """

    def __init__(self, reference: SpaceReference, num_classes: int, shape: Mapping[str, Any]) -> None:
        super().__init__()
        self.space = reference.space
        self.num_classes = num_classes
        self.shape = dict(shape)
        # First, because NNI samples in this order and keeps what is sampled already: the rule draws a whole
        # valid architecture, and the categoricals take their values from it.
        self.add_mutable(ArchitectureConstraint(self.space))
        for name, choices in self.space.parameters().items():
            self.add_mutable(Categorical(choices, label=label(name.split("/"))))

    def freeze(self, sample: Sample) -> Any:
        """The network of ``sample``, with weights initialised anew.

        Raises:
            nni.mutable.SampleValidationError: A parameter is missing or has no such choice.
            nni.mutable.exception.ConstraintViolation: The rule of the space refuses the sample.
        """
        self.validate(sample)
        return self.space.build(self.space.from_parameters(sample), self.num_classes, **self.shape)


def _build_sample(
    cls: type[ArchitectureModelSpace],
    sample: Sample,
    reference: SpaceReference,
    num_classes: int,
    shape: Mapping[str, Any],
) -> Any:
    """What NNI calls in a trial, where the sample is known, instead of the constructor."""
    space = reference.space.whole  # build as the trial process does, which knows the whole space
    return space.build(space.from_parameters(sample), num_classes, **shape)


ArchitectureModelSpace.create_fixed_module = classmethod(_build_sample)


class ArchitectureConstraint(Constraint):
    """The rule of a search space, which all its parameters obey together.

    Args:
        space: The search space.
    """

    def __init__(self, space: GraphSpace) -> None:
        self.space = space
        self.label = label([space.name, "architecture"])
        self._choices = space.parameters()

    def leaf_mutables(self, is_leaf: Any) -> Iterable[Mutable]:
        """Only itself; the parameters are mutables of the model space."""
        yield self

    def check_contains(self, sample: Sample) -> SampleValidationError | None:
        """The error in ``sample``, or None."""
        for name, choices in self._choices.items():
            if name not in sample:
                return SampleMissingError(name, list(sample))
            if sample[name] not in choices:
                return SampleValidationError(f"{name} = {sample[name]!r} is not one of {choices}")
        try:
            self.space.from_parameters(sample)
        except InvalidArchitecture as error:
            return ConstraintViolation(str(error))
        return None

    def default(self, memo: Sample | None = None) -> None:
        """The first random architecture of seed 0."""
        self._fill({} if memo is None else memo, np.random.default_rng(0))

    def random(self, memo: Sample | None = None, random_state: np.random.RandomState | None = None) -> None:
        """Draw an architecture from the space's distribution and write its parameters into ``memo``."""
        state = np.random.RandomState() if random_state is None else random_state
        rng = np.random.default_rng(state.randint(2**32, dtype=np.uint64))
        self._fill({} if memo is None else memo, rng)

    def grid(self, memo: Sample | None = None, granularity: int | None = None) -> Iterator[None]:
        """Write one architecture after the other into ``memo``.

        Raises:
            InvalidArgument: The space is too large to enumerate.
        """
        size = self.space.size()
        if size is not None and size > ENUMERABLE:
            raise InvalidArgument(f"{self.space.name}: a grid of {size} architectures is too large to search")
        memo = {} if memo is None else memo
        fixed = {name: value for name, value in memo.items() if name in self._choices}
        for architecture in self.space.enumerate():
            values = self.space.to_parameters(self.space.completed(architecture))
            if fixed.items() <= values.items():
                memo.update(values)
                yield None
                for name in values.keys() - fixed.keys():
                    del memo[name]

    def _fill(self, memo: Sample, rng: np.random.Generator) -> None:
        if not self._choices.keys() <= memo.keys():
            # Values that were fixed before are kept; freeze then checks the rule.
            values = self.space.to_parameters(self.space.completed(self.space.sample(rng)))
            memo.update({name: value for name, value in values.items() if name not in memo})
        self.freeze(memo)

    def equals(self, other: Any) -> bool:
        """Whether ``other`` is the rule of the same space."""
        return isinstance(other, ArchitectureConstraint) and other.space is self.space

    def extra_repr(self) -> str:
        """The space."""
        return repr(self.space)
