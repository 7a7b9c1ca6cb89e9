"""What a host says of itself: one file a source, each with pure parsers."""
