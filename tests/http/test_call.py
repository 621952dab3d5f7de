"""What a handler may ask of an authorised call."""

import pytest

from simple_registry.access.identity import Identity
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed, Refused
from simple_registry.content import stream_of
from simple_registry.http.bodies import RequestBody
from simple_registry.http.call import Call, NoTarget
from simple_registry.http.messages import Request
from simple_registry.oci.errors import Denied


@pytest.fixture
def call(memory_front):
    def decide(permission):
        return Allowed("rule") if permission == Permission("GET", Resource.BLOBS, "a") else Refused("no")

    request = Request("GET", "/", "", {}, RequestBody(stream_of(), announced=0, timeout=1), "id")
    return Call(request, NoTarget(), Identity("ada"), memory_front.application._rsgi._dispatcher._registry, decide)


def test_a_further_permission_can_be_asked_for(call):
    assert call.can("GET", Resource.BLOBS, "a")
    assert not call.can("PUT", Resource.BLOBS, "a")
    assert not call.can("GET", Resource.BLOBS, "b")


def test_a_further_permission_can_be_insisted_on(call):
    call.require("GET", Resource.BLOBS, "a")
    with pytest.raises(Denied) as refused:
        call.require("PUT", Resource.MANIFESTS, "a:v1")
    assert refused.value.facts == {"verb": "PUT", "resource": "manifests", "scope": "a:v1"}
