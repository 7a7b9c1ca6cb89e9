"""What commands look at by themselves, beside the remediator."""
