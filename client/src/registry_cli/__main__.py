"""`python -m registry_cli`."""

from registry_cli.main import main

if __name__ == "__main__":
    main()
