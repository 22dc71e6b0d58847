"""Batches from disk: data sets that do not fit into memory.

========== ==========================================================================
loader     :class:`Loader`: what a loop over batches sees, whatever the files are
order      which sequences are read together, and in which order they come
pool       the sequences in memory, from which batches are cut
npy        :func:`from_npy`: arrays in ``.npy`` files
arrays     a field of a data set: one array in one file or several
========== ==========================================================================
"""
