"""Functions of signals that no memory holds: fitted in tiles, kept in a store, read where they are used."""
