"""Recurrent networks trained by explicit backpropagation through time."""

__version__ = "0.1.0"
