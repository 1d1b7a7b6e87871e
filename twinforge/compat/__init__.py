"""What may be combined, and why not: facts as data with their sources, and rules over them."""
