"""How methods train.

fit
    The skeleton of a method's `fit`: check, train in phases, cluster.
on_components
    The same for generic methods: components and their graph in, k-means out.
loop
    Epochs, trace, snapshots and checkpoints.
state
    What training changes, to be kept and put back.
seeding
    Named random generators, all from one seed.
device
    Blocks of rows that suit a cache or an accelerator.
"""
