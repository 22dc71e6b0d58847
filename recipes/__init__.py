"""How files that come with the package were made, and figures that the documentation gives."""
