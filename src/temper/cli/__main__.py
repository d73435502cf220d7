"""`python -m temper.cli`."""

from temper.cli import main

main()
