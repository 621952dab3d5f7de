"""The protocols of stores. Every adapter implements them, and `tests/storage/contracts` checks it.

    put / publish ──► the content store   bytes by digest
    extend        ──► the upload store    bytes of open sessions
    rows          ──► the row stores      repositories, holdings, manifests, tags, sessions, tokens

`operations` verifies digests and orders chunks, so a store trusts its arguments. Absence is a result (`None`, `False`),
failure is a `StorageFault`. A method that may wait for a disk or a server is a coroutine. One that writes returns only
when its change survives a power cut, unless its docstring says otherwise.

A push makes the bytes durable at their place before their row: so acknowledged content is kept. A row of whole content
guarantees its bytes (`life`), so no store calls another. A removal first condemns the row, then removes the bytes, then
the row. `operations.contents` has both orders.
"""
