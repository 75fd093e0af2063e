"""``sealgate-verify``."""


def main() -> None:
    """Run the verifier's command line."""


if __name__ == "__main__":
    main()
