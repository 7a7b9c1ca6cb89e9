"""The small program that `upkeeper up` becomes once everything is written out: it starts processes and keeps them up.

It lives as long as the stack, so it is made of the standard library alone, and of little of that: 4 MB instead of 40.
A test holds it to that. What needs more (reading the config, the banner) runs in a process of its own that ends.
"""
