"""The bridge to compiled code: each function here has a readable equal in NumPy.

========== ==========================================================================
selection  which engine is in use, how many threads it has
affine     the product of many rows and its gradients
vectors    norms, checks and updates of flat vectors
========== ==========================================================================
"""
