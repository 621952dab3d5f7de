"""Every kind of document."""

from simple_registry.config.access_documents import ROLE, ROLE_BINDING, TOKEN, USER
from simple_registry.config.configuration import CONFIGURATION
from simple_registry.config.quota_documents import QUOTA
from simple_registry.config.tag_documents import RETENTION, TAG_PROTECTION
from simple_registry.config.token_issuers import TOKEN_ISSUER

KINDS = {
    kind.name: kind
    for kind in (USER, ROLE, ROLE_BINDING, TOKEN, RETENTION, TAG_PROTECTION, QUOTA, TOKEN_ISSUER, CONFIGURATION)
}
SECRETS = (("Configuration", ("web", "tokenSecret")), ("Token", ("value",)))
"""Kinds of documents that can hold a secret in clear text, and its path."""
