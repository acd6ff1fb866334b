"""The commands of `partinr hypothesis`."""
