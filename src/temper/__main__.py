"""`python -m temper`."""

from temper.cli import main

main()
