"""The actor of changes that tests make without a request."""

from simple_registry.storage.records import Actor

ACTOR = Actor("ada", "password", "a-request")
