"""`python -m partinr` is `partinr`."""

from partinr.cli import main

main()
