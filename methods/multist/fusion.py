"""Second stage: image tokens looked at by every spot's embedding, and both blended."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, gelu

from methods.shared.nn.layers import Affine, glorot

from .network import LATENT, keep_all

IMAGE = 512
WIDTH = 256
HEADS = 8
LAYERS = 2

Drop = Callable[[Tensor], Tensor]


class Attention(nn.Module):
    """
    Multi-head attention of spots to a few tokens each.

    Parameters
    ----------
    width, heads
        Of queries, keys and values together, and how many heads share it.
    generator
        Draws the weights.

    Notes
    -----
    Vaswani et al., arXiv 1706.03762. With one token a spot its weight is 1 and the result an
    affine map of the token, whatever query and key are.
    """

    def __init__(self, width: int, heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        fans = (width, 3 * width)  # query, key and value are drawn as one matrix
        self.maps = glorot(3, width, width, generator=generator, scale=fans)
        self.biases = nn.Parameter(torch.zeros(3, width))
        self.out = Affine(width, width, generator)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, tokens: Tensor, known: Tensor
    ) -> Tensor:
        """
        Attend.

        Parameters
        ----------
        query
            spots x d.
        key, value
            tokens x d.
        tokens
            Which tokens each spot looks at, spots x m.
        known
            False where there is none, spots x m.
        """
        n, m = tokens.shape
        parts = zip((query, key, value), self.maps, self.biases, strict=True)
        query, key, value = (x @ weight + bias for x, weight, bias in parts)
        query = query.view(n, self.heads, 1, -1)
        key, value = (
            x.index_select(0, tokens.reshape(-1)).view(n, m, self.heads, -1).transpose(1, 2)
            for x in (key, value)
        )
        scores = (query @ key.mT) / query.shape[-1] ** 0.5
        scores = scores.masked_fill(~known[:, None, None], -torch.inf)
        mixed = torch.softmax(scores, dim=-1) @ value
        return self.out(mixed.reshape(n, -1))


class Crossing(nn.Module):
    """
    Layers of attention from one modality to the other; all share one normalisation.

    Parameters
    ----------
    n_in
        Width of the other modality.
    generator
        Draws the weights.
    """

    def __init__(self, n_in: int, generator: torch.Generator) -> None:
        super().__init__()
        self.key = Affine(n_in, WIDTH, generator)
        self.value = Affine(n_in, WIDTH, generator)
        self.layers = nn.ModuleList(Attention(WIDTH, HEADS, generator) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, query: Tensor, other: Tensor, tokens: Tensor, known: Tensor) -> Tensor:
        """Attend from spots x 256 to rows of `other`, tokens x n_in."""
        key, value = self.key(other), self.value(other)
        for layer in self.layers:
            query = self.norm(query + layer(query, key, value, tokens, known))
        return query


class Perceptron(nn.Module):
    """Two layers that only a penalty on their output's length trains."""

    def __init__(self, n_in: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = Affine(n_in, WIDTH, generator)
        self.second = Affine(WIDTH, WIDTH, generator)

    def length(self, x: Tensor, drop: Drop) -> Tensor:
        """Return the mean length of the output."""
        return self.second(drop(gelu(self.first(x)))).norm(dim=1).mean()


class Tokens(NamedTuple):
    """Rows that are needed for some spots; all indices are rows of what the name before says."""

    rows: Tensor  # spots whose image is encoded
    near: Tensor  # among rows: around each token, tokens x (k + 1)
    weight: Tensor  # of these, tokens x (k + 1)
    spots: Tensor  # the spot of each token
    seen: Tensor  # tokens that each spot looks at, its own first, spots x m
    known: Tensor  # False where there is none, spots x m


class Fused(NamedTuple):
    """What the second stage makes of some spots."""

    gene: Tensor  # G, spots x 256
    image: Tensor  # I, spots x 256
    blend: Tensor  # F, spots x 256
    lengths: Tensor  # of both projections, added


class Fusion(nn.Module):
    """
    All weights of the second stage.

    Parameters
    ----------
    n_image
        Components of an image token.
    mode
        ``img2gene``: spots look at the image, and what they find is mapped back to the embedding;
        ``bidirectional``: each modality looks at the other.
    share
        Of the embedding in the blend.
    generator
        Draws the weights.
    """

    def __init__(self, n_image: int, mode: str, share: float, generator: torch.Generator) -> None:
        super().__init__()
        self.mode, self.share = mode, share
        self.encoder = Affine(n_image, IMAGE, generator)
        self.norm = nn.LayerNorm(IMAGE)
        self.gene = Affine(LATENT, WIDTH, generator)
        self.image = Affine(IMAGE, WIDTH, generator)
        self.to_gene = Crossing(IMAGE, generator)
        self.gene_length = Perceptron(LATENT, generator)
        self.image_length = Perceptron(IMAGE, generator)
        if mode == "img2gene":
            self.back = Affine(WIDTH, LATENT, generator)
        else:
            self.to_image = Crossing(LATENT, generator)
        self.reconstruct = Affine(WIDTH, LATENT, generator)

    def encode(self, image: Tensor, tokens: Tokens, drop: Drop) -> Tensor:
        """Encode image tokens and smooth them over the spots around, tokens x 512."""
        rows = drop(self.norm(self.encoder(image[tokens.rows])))
        near, weight = tokens.near, tokens.weight
        return embedding_bag(near, rows, mode="sum", per_sample_weights=weight.to(rows.dtype))

    def forward(self, genes: Tensor, image: Tensor, tokens: Tokens, drop: Drop = keep_all) -> Fused:
        """
        Fuse some spots.

        Parameters
        ----------
        genes
            Embedding of all spots, spots x 32.
        image
            Image components of all spots.
        tokens
            Whom it is about, and what they see.
        drop
            Dropout.
        """
        seen, known, own = tokens.seen, tokens.known, tokens.seen[:, 0]
        e = self.encode(image, tokens, drop)
        around, g = genes[tokens.spots], genes[tokens.spots[own]]
        gene = self.to_gene(self.gene(g), e, seen, known)
        seen_image = self.image(e[own])
        if self.mode == "img2gene":
            blend = self.gene(self.share * g + (1 - self.share) * self.back(gene))
        else:
            seen_image = self.to_image(seen_image, around, seen, known)
            blend = self.share * gene + (1 - self.share) * seen_image
        lengths = self.image_length.length(e[own], drop) + self.gene_length.length(g, drop)
        return Fused(gene, seen_image, blend, lengths)
