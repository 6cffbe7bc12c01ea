"""What a run leaves on the disk: pairs of weights and state, written whole, found again, thinned out."""
