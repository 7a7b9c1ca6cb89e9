"""apt and dpkg: what they are asked, how their answers are read, and what they are told to do."""
