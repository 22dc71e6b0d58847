"""The bridge to compiled code: each function here has a readable equal in NumPy.

========== ==========================================================================
selection  which engine is in use, how many threads it has
arrays     arrays in the layout that kernels take
rule       whether an object may use a kernel
extension  what the extension offers, as a type
underflow  never an error
affine     the product of many rows and its gradients
vectors    norms, checks and updates of flat vectors
========== ==========================================================================
"""
