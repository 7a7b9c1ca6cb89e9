"""The fire drill: a harmless breach, followed through every station of the running stack.

breach: the scratch log directory. sources: asks the services. facts: what they said. stations and diagnose: what that
means, pure. drill: puts them together.
"""
