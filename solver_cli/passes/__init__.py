"""How one batch runs: whole, in pieces, recomputed, compiled, in half precision; and the memory that it takes."""
