"""From counts to features.

counts
    Library size, logarithm, scaling and choice of genes, all sparse.
hvg
    Highly variable genes in two flavours.
pca
    Principal components, of sparse counts or of a dense table.
smoothing
    Components averaged over neighbouring spots.
spots
    Scaled expression as graph encoders of spots take it.
row_blocks
    Results of cells x genes, block by block.
"""
