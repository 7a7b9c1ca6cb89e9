"""Docker: the engine, its objects, and what containers use. Imports are absolute: ``docker`` is the client library."""
