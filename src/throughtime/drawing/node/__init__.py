"""The picture of one node: what comes in, what goes out, and the equations between."""
