"""The remediator's sections of the config."""
