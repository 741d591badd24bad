"""What several methods share, in seven packages; each names its files in its own index.

expression
    From counts to features: scaling, variable genes, principal components.
graphs
    Neighbours of cells and spots, their adjacency matrices and weights.
clustering
    K-means, Gaussian mixtures, Leiden, spectral cuts, and the number of clusters.
losses
    Losses over all entries or all pairs, exact in linear memory.
nn
    Layers, dropout, and products of sparse matrices with trainable ones.
image
    What a histology image shows around every spot.
training
    The loop, its checkpoints, and the skeleton of a method's `fit`.
"""
