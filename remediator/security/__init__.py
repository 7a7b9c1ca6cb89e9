"""What of this machine lets others in: findings from several sources, and those that are borne for a time."""
