"""The kernel-guided encoder of NASGEM: an autoencoder whose cosine follows a graph kernel (eq. 3-4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import trange

from graphnas.autoencoders.networks import perceptron
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.flatten import Flattener
from graphnas.graph.space import GraphSpace
from graphnas.graph.wl import WeisfeilerLehman
from graphnas.methods.nasgem.config import EncoderConfig
from graphnas.methods.nasgem.pairs import Pairs, sample_pairs


def guiding_kernel(config: EncoderConfig) -> WeisfeilerLehman:
    """S_g, the kernel that an encoder of these settings follows."""
    return WeisfeilerLehman(
        config.kernel_iterations,
        direction=config.kernel_direction,
        include_initial=config.kernel_initial,
        node_labels=config.node_ops == "onehot",
    )


class KernelGuidedEncoder(nn.Module):
    """Fully connected encoder E and decoder D (NASGEM, section 3.1).

    For a pair of graphs the loss is ``[cos(E(A_i), E(A_j)) - S_g(i, j)]^2 + L_r(i) + L_r(j)`` (eq. 3-4), all
    weights 1, with S_g the normalised Weisfeiler-Lehman kernel. The type of L_r is not stated; ours is the
    binary cross-entropy of the reconstructed bits. The encoder never sees an accuracy: it is trained before
    the search and then frozen.

    Args:
        space: The search space, which determines the input and samples the random graphs.
        config: Settings.
        seed: Seed of weights, graphs and batches.
        device: Where the networks live.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: EncoderConfig | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.space = space
        self.config = config or EncoderConfig()
        self.seed = seed
        self.flatten = Flattener(space, self.config.node_ops)
        self.kernel = guiding_kernel(self.config)
        generator = torch.Generator().manual_seed(seed)
        widths = [self.flatten.width, *self.config.hidden, self.config.dimension]
        self.encoder = perceptron(widths, generator, device)
        self.decoder = perceptron(widths[::-1], generator, device)
        self.history: list[dict[str, float]] = []

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return next(self.encoder.parameters()).device

    # ---------------------------------------------------------------- training

    def sample_pairs(self) -> Pairs:
        """The training pairs that belong to the seed."""
        rng = np.random.default_rng([self.seed, 1])
        return sample_pairs(self.space, self.config.pairs, rng, self.kernel, self.config.target)

    def fit(self, pairs: Pairs | None = None, *, progress: bool = False) -> KernelGuidedEncoder:
        """Train on ``pairs`` (by default :meth:`sample_pairs`) for ``config.iterations`` updates.

        ``history`` then holds the mean similarity and reconstruction losses per hundred updates.
        """
        pairs = pairs or self.sample_pairs()
        config = self.config
        bits = torch.from_numpy(np.concatenate([self.flatten(pairs.first), self.flatten(pairs.second)])).to(
            self.device
        )
        target = torch.from_numpy(pairs.target).to(self.device)
        generator = torch.Generator().manual_seed(self.seed + 1)
        optimizer = torch.optim.Adam(self.parameters(), lr=config.learning_rate, fused=True)
        self.history, size = [], min(config.batch_size, len(pairs))
        sums = torch.zeros(2, device=self.device)
        order = torch.empty(0, dtype=torch.int64)
        self.train()
        # None: show the bar only on a terminal.
        bar = trange(config.iterations, desc="encoder", disable=None if progress else True, leave=False)
        for iteration in bar:
            if len(order) < size:  # a new pass over the pairs
                order = torch.randperm(len(pairs), generator=generator)
            index, order = order[:size].to(self.device), order[size:]
            x = bits[torch.cat([index, index + len(pairs)])]
            similarity, reconstruction = self._losses(x, target[index])
            loss = similarity + reconstruction if config.kernel_guided else reconstruction
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            sums += torch.stack([similarity.detach(), reconstruction.detach()])
            if (iteration + 1) % 100 == 0 or iteration + 1 == config.iterations:
                count = iteration % 100 + 1
                similarity_mean, reconstruction_mean = (sums / count).tolist()
                entry = {"similarity": similarity_mean, "reconstruction": reconstruction_mean}
                self.history.append({"iteration": iteration + 1, **entry})
                bar.set_postfix({k: f"{v:.4f}" for k, v in entry.items()})
                sums.zero_()
        self.eval()
        return self

    def _losses(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Similarity loss and L_r(i) + L_r(j), averaged over the pairs; ``x`` stacks first and second."""
        code = self.encoder(x)
        first, second = code.chunk(2)
        similarity = (F.cosine_similarity(first, second) - target).square().mean()
        # A sum over the two graphs of a pair, a mean over their bits and over the pairs.
        reconstruction = 2 * F.binary_cross_entropy_with_logits(self.decoder(code), x)
        return similarity, reconstruction

    # ---------------------------------------------------------------- use

    @torch.no_grad()
    def embed(self, architectures: ArchitectureBatch | Sequence[Architecture]) -> Tensor:
        """Embeddings E(A), ``(B, d)`` float32."""
        chunks = torch.split(torch.from_numpy(self.flatten(self._batch(architectures))), 8192)
        return torch.cat([self.encoder(chunk.to(self.device)) for chunk in chunks])

    @torch.no_grad()
    def similarity_loss(self, pairs: Pairs) -> float:
        """Mean of ``[cos(E(A_i), E(A_j)) - target]^2`` over ``pairs`` (NASGEM, Fig. 6)."""
        cosine = F.cosine_similarity(self.embed(pairs.first), self.embed(pairs.second))
        return float((cosine - torch.from_numpy(pairs.target).to(cosine.device)).square().mean())

    @torch.no_grad()
    def reconstruction_accuracy(self, architectures: ArchitectureBatch | Sequence[Architecture]) -> float:
        """Share of bits that the decoder gets right."""
        bits = torch.from_numpy(self.flatten(self._batch(architectures))).to(self.device)
        return float(((self.decoder(self.encoder(bits)) > 0) == (bits > 0.5)).float().mean())

    def _batch(self, architectures: ArchitectureBatch | Sequence[Architecture]) -> ArchitectureBatch:
        if isinstance(architectures, ArchitectureBatch):
            return architectures
        return ArchitectureBatch.from_architectures(architectures, self.space.max_nodes)
