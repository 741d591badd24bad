"""Building blocks of networks.

layers
    Weights and affine maps, drawn from a generator.
dropout
    Activation and dropout from a generator of their own.
sparse
    Products of a constant sparse matrix with trainable dense ones.
matmul
    Large dense products, by the fastest kernel at hand.
"""
