"""performance-check, performance-analysis and performance-advice."""
