"""`python -m stillwatch` is the same as `stillwatch`."""

from stillwatch.cli import main

if __name__ == "__main__":
    main()
