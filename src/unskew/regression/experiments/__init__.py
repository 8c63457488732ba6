"""The paper's claims, one file each; each function takes answers and returns one tidy table."""
