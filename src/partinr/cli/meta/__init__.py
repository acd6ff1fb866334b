"""The commands of `partinr meta`."""
