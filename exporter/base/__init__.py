"""What every part needs: threads, programs, units, secrets, logging, the server, reloads."""
