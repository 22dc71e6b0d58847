"""Batches from disk: data sets that do not fit into memory.

========== ==========================================================================
loader     :class:`Loader`: what a loop over batches sees, whatever the files are
order      which sequences are read together, and in which order they come
pool       the sequences in memory, from which batches are cut
npy        :func:`from_npy`: arrays in ``.npy`` files
arrays     a field of a data set: one array in one file or several
flat       sequences that lie one after another in ``.npy`` files
parquet    :func:`from_parquet`: tables with a row for each time step
roles      what the columns of a table are for
classes    the classes of targets, where the caller names them
rows       the rows of a table, read in chunks
values     a column of a chunk to numbers, or a sentence that says why not
scan       the first look at a table: where its sequences begin
regroup    rows brought together by id, where they lie apart
temporary  folders for them, which go with their process
stream     sequences that lie one after another in Parquet files
========== ==========================================================================
"""
