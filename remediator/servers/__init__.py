"""How tasks work with database servers."""
