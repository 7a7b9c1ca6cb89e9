"""One archive with what somebody needs who is to find out what is wrong, and no secret in it."""
