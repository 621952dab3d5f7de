"""The rules of the registry: what each operation of the specification does, over the store protocols."""
