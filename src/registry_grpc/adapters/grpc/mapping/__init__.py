"""Between protos and domain: pure functions, one module per aggregate.

Requests become domain values, which raise InvalidRequest when they break a rule; domain objects become messages.
"""
