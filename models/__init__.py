"""Networks, losses and training procedures. Importing this package imports no network (see `models.create`)."""

from models.create import create_discriminator, create_generator, list_discriminators, list_generators, list_models

__all__ = ["create_discriminator", "create_generator", "list_discriminators", "list_generators", "list_models"]
