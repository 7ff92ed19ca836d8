"""``python -m topchef_schema`` is the same program as ``topchef-db``."""

from topchef_schema.cli import main

if __name__ == "__main__":
    main()
