"""`python -m bot` is `carrybot`."""

from bot.cli.main import main

if __name__ == "__main__":
    main()
