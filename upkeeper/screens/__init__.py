"""What the commands show: each module turns the API's shapes into tables and lines."""
