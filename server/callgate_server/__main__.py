"""`python -m callgate_server` is `callgate`."""

from callgate_server.cli import main

main()
