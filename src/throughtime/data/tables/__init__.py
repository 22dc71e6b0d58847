"""From a table to series, or a sentence that says why not.

========== ==========================================================================
files      :func:`read_table`: a file becomes series
reading    the cells of a CSV file, the columns of a Parquet file
columns    which column plays which role
numbers    cells of text to numbers
dates      cells of text to times
frequency  how far the steps of a calendar are apart
========== ==========================================================================
"""
