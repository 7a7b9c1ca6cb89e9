"""The state directory as one file: made while the remediator runs, put back while none does."""
