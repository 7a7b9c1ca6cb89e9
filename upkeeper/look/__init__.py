"""What commands look at by themselves, apart from the remediator."""
